"""A pure exchange: trading days, bar → tick expansion, option premiums. No IO, no clock."""

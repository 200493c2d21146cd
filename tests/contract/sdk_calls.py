"""Which calls of the official SDK 2.30.0 the simulator answers, and why not the others."""

from typing import Final

ANSWERED: Final[dict[str, tuple[str, ...]]] = {
    "OrderApiV3": (
        "place_order",
        "modify_order",
        "cancel_order",
        "place_gtt_order",
        "modify_gtt_order",
        "cancel_gtt_order",
        "get_gtt_order_details",
    ),
    "OrderApi": (
        "place_order",
        "modify_order",
        "cancel_order",
        "place_multi_order",
        "cancel_multi_order",
        "exit_positions",
        "get_order_book",
        "get_order_details",
        "get_order_status",
        "get_trade_history",
        "get_trades_by_order",
    ),
    "PortfolioApi": ("get_positions", "convert_positions", "get_holdings", "get_mtf_positions"),
    "UserApi": (
        "get_profile",
        "get_user_fund_margin",
        "get_user_fund_margin_v3",
        "get_kill_switch",
        "update_kill_switch",
        "get_user_ips",
        "update_user_ip",
    ),
    "LoginApi": ("logout",),
    "ChargeApi": ("get_brokerage", "post_margin"),
    "PostTradeApi": ("get_trades_by_date_range",),
    "OptionsApi": ("get_option_contracts", "get_put_call_option_chain"),
    "InstrumentsApi": ("search_instrument",),
    "HistoryV3Api": ("get_historical_candle_data", "get_historical_candle_data1", "get_intra_day_candle_data"),
    "MarketQuoteApi": ("get_full_market_quote", "get_market_quote_ohlc", "ltp"),
    "MarketQuoteV3Api": (
        "get_full_market_quote_v3",
        "get_ltp",
        "get_market_quote_ohlc",
        "get_market_quote_option_greek",
    ),
    "MarketHolidaysAndTimingsApi": ("get_exchange_timings", "get_holiday", "get_holidays", "get_market_status"),
    "WebsocketApi": ("get_market_data_feed_authorize_v3", "get_portfolio_stream_feed_authorize"),
}

_MONEY: Final = "no money comes in or goes out"
_RESEARCH: Final = "no shares, funds or news, only Bank Nifty and its derivatives"
_SHUT_DOWN: Final = "the feed V2 was shut down in August 2025"
_NO_REST: Final = "it asks for a socket over REST, which works nowhere; the streamers do"

NOT_ANSWERED: Final[dict[str, dict[str, str]]] = {
    "LoginApi": dict.fromkeys(
        ("authorize", "token", "init_token_request_for_indie_user"), "no login: a token is a text of your choice"
    ),
    "UserApi": dict.fromkeys(
        (
            "get_payin_history",
            "get_payout_history",
            "get_payout_modes",
            "initiate_payout",
            "modify_payout",
            "cancel_payout",
        ),
        _MONEY,
    ),
    "HistoryApi": dict.fromkeys(
        ("get_historical_candle_data", "get_historical_candle_data1", "get_intra_day_candle_data"),
        "V2 candles are deprecated since June 2025",
    ),
    "ExpiredInstrumentApi": dict.fromkeys(
        (
            "get_expiries",
            "get_expired_option_contracts",
            "get_expired_future_contracts",
            "get_expired_historical_candle_data",
        ),
        "nothing is kept of contracts that have expired",
    ),
    "TradeProfitAndLossApi": dict.fromkeys(
        (
            "get_profit_and_loss_charges",
            "get_trade_wise_profit_and_loss_data",
            "get_trade_wise_profit_and_loss_meta_data",
        ),
        "the exchange knows one day",
    ),
    "MarketApi": dict.fromkeys(
        (
            "get_oi_data",
            "get_change_oi_data",
            "get_pcr_data",
            "get_max_pain_data",
            "get_fii_data",
            "get_dii_data",
            "get_smartlist_futures",
            "get_smartlist_options",
            "get_smartlist_mtf",
        ),
        "analytics; compute them from the chain",
    ),
    "WebsocketApi": {
        "get_market_data_feed": _SHUT_DOWN,
        "get_market_data_feed_authorize": _SHUT_DOWN,
        "get_market_data_feed_v3": _NO_REST,
        "get_portfolio_stream_feed": _NO_REST,
        "get_websocket_parameters": "no call: it builds a query",
    },
    "FundamentalsApi": dict.fromkeys(
        (
            "get_balance_sheet",
            "get_cash_flow",
            "get_company_profile",
            "get_competitors",
            "get_corporate_actions",
            "get_income_statement",
            "get_key_ratios",
            "get_share_holdings",
        ),
        _RESEARCH,
    ),
    "IpoApi": dict.fromkeys(
        (
            "get_ipo_details",
            "get_ipo_listing",
            "get_ipo_order_by_id",
            "get_ipo_orders",
            "apply_for_ipo",
            "cancel_ipo_order",
        ),
        _RESEARCH,
    ),
    "MutualFundApi": dict.fromkeys(
        ("get_mutual_fund_holdings", "get_mutual_fund_order", "get_mutual_fund_orders", "get_mutual_fund_sips"),
        _RESEARCH,
    ),
    "NewsApi": {"get_news": _RESEARCH},
}

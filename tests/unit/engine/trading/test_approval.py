"""Entries that a person has the last word on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from algoexec.engine.effects import EntryRefused, OrderChanged, QuoteOption
from algoexec.engine.events import (
    DeadlinePassed,
    EntryApproved,
    EntryDeclined,
    FeedChanged,
    FeedStatus,
    FlattenRequested,
    Halted,
    KillSwitched,
    SessionFailed,
    StopReason,
    StopRequested,
    TokenRejected,
    TradeRulesChanged,
)
from algoexec.engine.step import next_deadline
from algoexec.engine.trading.flow import is_flat
from algoexec.engine.trading.risk import Refusal
from algoexec.engine.trading.rules import TradeRules
from algoexec.engine.trading.trade import Stage
from tests.unit.engine.trading.driver import (
    ASK_ME,
    CALL,
    PARAMETERS,
    STEEPLY_DOWN,
    Session,
    asking,
    entering,
    refused,
    signals,
    wanting,
)


def patient(rules: TradeRules = ASK_ME) -> Session:
    """Return a session that asks, and whose signals live for a quarter of an hour."""
    return asking(rules, parameters=PARAMETERS._replace(signal_life_minutes=15))


# --- what is asked ------------------------------------------------------------------------------------------------


def test_nothing_is_bought_before_a_person_approves() -> None:
    session = asking()
    for _ in range(20):
        session.mark(after=2.0)
    assert not session.submitted
    assert session.trading.trade is None
    assert session.trading.tally.trades == 0


def test_what_is_asked_is_what_would_be_bought_now() -> None:
    automatic, session = entering(), asking()
    order, offer = automatic.order, session.offer
    assert (offer.id, offer.trade_id) == (order.id, automatic.trade.id)
    assert (offer.instrument, offer.quantity, offer.limit) == (CALL, order.ticket.quantity, order.limit)
    assert offer.risk == round(automatic.trade.one_r * order.ticket.quantity * 100) > 0
    (signal,) = signals(session)
    assert (offer.signal_id, offer.expires_at, offer.approved_by) == (signal.id, signal.expires_at, None)


def test_a_quote_that_allows_no_entry_asks_nobody() -> None:
    session = wanting(ASK_ME)
    session.mark(None)
    assert session.told(type(asking().offer)) == []
    session.mark(spread=30.0)
    assert refused(session) is Refusal.SPREAD_TOO_WIDE


def test_while_it_waits_quotes_are_no_news() -> None:
    session = asking()
    before = session.state
    session.mark(101.0, after=1.0)
    session.mark(spread=30.0, after=1.0)
    assert session.state is before, "it is priced anew when somebody approves"


def test_it_waits_through_a_feed_that_is_lost_for_a_while() -> None:
    session = asking()
    session.meet(FeedChanged(status=FeedStatus.LOST, detail=""))
    session.mark(after=1.0)
    session.meet(FeedChanged(status=FeedStatus.CONNECTED, detail=""))
    session.approve()
    session.mark(after=1.0)
    assert len(session.submitted) == 1


# --- yes ----------------------------------------------------------------------------------------------------------


def test_approved_it_is_bought_under_the_id_that_was_asked_about() -> None:
    session = asking()
    moved = session.approve("asha")
    assert [type(effect) for effect in moved.effects] == [QuoteOption]
    assert session.offer.approved_by == "asha"
    session.mark(after=0.5)
    (sent,) = session.submitted
    assert sent.ticket.id == session.offer.id
    assert session.trade.id == session.offer.trade_id
    assert session.is_at(Stage.ENTERING)
    assert session.told(OrderChanged)[0].id == session.offer.id


def test_it_is_reckoned_anew_when_it_is_approved() -> None:
    session = asking()
    session.approve()
    session.mark(180.0, after=1.0)
    (sent,) = session.submitted
    assert sent.ticket.price == 180.2
    assert sent.ticket.quantity < session.offer.quantity


@pytest.mark.parametrize(
    ("then", "why"),
    [
        (lambda s: s.mark(spread=30.0), Refusal.SPREAD_TOO_WIDE),
        (lambda s: s.mark(9_000.0, spread=10.0), Refusal.RISK_TOO_SMALL),
        (lambda s: (s.meet(FeedChanged(status=FeedStatus.LOST, detail="")), s.mark()), Refusal.STALE_FEED),
        (lambda s: (s.meet(Halted(by="someone", reason="lunch")), s.mark()), Refusal.HALTED),
        (lambda s: (s.meet(TradeRulesChanged(rules=replace(ASK_ME, max_trades_per_day=0))), s.mark()),
         Refusal.MAX_TRADES),
        (lambda s: s.pass_time(60.0), Refusal.NO_QUOTE),
    ],
)  # fmt: skip
def test_approved_it_may_be_refused_as_any_other(then: Callable[[Session], object], why: Refusal) -> None:
    session = asking()
    session.approve()
    then(session)
    assert refused(session) is why
    assert not session.submitted
    assert session.is_neutral


def test_the_parts_of_a_large_entry_follow_the_first() -> None:
    session = asking(replace(ASK_ME, capital=3_000_000_00), freeze_quantity=240, funds=3_000_000_00)
    session.approve()
    session.mark(after=1.0)
    ids = [effect.ticket.id for effect in session.submitted]
    assert ids == [f"{session.offer.trade_id}-{n}" for n in range(len(ids))]
    assert len(ids) > 1
    assert sum(effect.ticket.quantity for effect in session.submitted) == session.offer.quantity


def test_an_exit_of_the_trade_has_a_number_of_its_own() -> None:
    session = asking()
    session.approve()
    session.mark(after=1.0)
    session.acknowledge()
    session.fill(100.0)
    session.mark(75.0, after=1.0)
    session.holds(session.trade.open_units, 75.0)
    entry, exit_ = (effect.ticket.id for effect in session.submitted)
    assert entry == session.offer.id
    assert not exit_.startswith(session.offer.trade_id)


def test_who_is_second_changes_nothing() -> None:
    session = asking()
    session.approve("asha")
    before = session.state
    session.approve("bela")
    session.decline("bela")
    assert session.state is before
    session.mark(after=0.5)
    under_way = session.state
    session.approve("bela")
    session.decline("bela")
    assert session.state is under_way


@pytest.mark.parametrize("decision", [EntryApproved, EntryDeclined])
def test_another_id_decides_nothing(decision: type[EntryApproved] | type[EntryDeclined]) -> None:
    session = asking()
    before = session.state
    session.meet(decision(order_id=f"{'s' * 16}-1-0", by="someone"))
    assert session.state is before
    quiet = wanting(ASK_ME)
    before = quiet.state
    quiet.meet(decision(order_id=session.offer.id, by="someone"))
    assert quiet.state is before, "nobody was asked yet"


# --- no -----------------------------------------------------------------------------------------------------------


def test_declined_it_is_over_and_says_by_whom() -> None:
    session = asking()
    session.decline("asha")
    (told,) = session.told(EntryRefused)
    assert (told.reason, told.detail, told.order_id) == (Refusal.DECLINED, "declined by asha", session.offer.id)
    session.mark(after=1.0)
    assert not session.submitted
    assert is_flat(session.state)


def test_what_nobody_answers_ends_with_its_signal() -> None:
    session = asking()
    (signal,) = signals(session)
    assert next_deadline(session.state) == signal.expires_at
    session.pass_time(61.0)
    (told,) = session.told(EntryRefused)
    assert (told.reason, told.order_id) == (Refusal.NOT_APPROVED, session.offer.id)


@pytest.mark.parametrize("answer", [Session.approve, Session.decline])
def test_an_answer_that_comes_too_late_finds_it_expired(answer: Callable[[Session], object]) -> None:
    session = asking()
    session.now = signals(session)[0].expires_at
    answer(session)
    assert refused(session) is Refusal.NOT_APPROVED
    assert session.is_neutral


def test_a_quote_at_the_end_does_not_pass_for_an_answer() -> None:
    session = asking()
    session.now = signals(session)[0].expires_at
    session.mark()
    assert refused(session) is Refusal.NOT_APPROVED


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (Halted(by="someone", reason="lunch"), Refusal.HALTED),
        (KillSwitched(reason="all out"), Refusal.KILL_SWITCH),
        (FlattenRequested(by="someone"), Refusal.HALTED),
        (TokenRejected(detail="expired"), Refusal.NEEDS_TOKEN),
        (StopRequested(reason=StopReason.REQUESTED), Refusal.STOPPING),
        (SessionFailed(detail="a bug"), Refusal.HALTED),
    ],
)
@pytest.mark.parametrize("is_approved", [False, True])
def test_what_forbids_entries_drops_what_waits(event: object, why: Refusal, is_approved: bool) -> None:
    session = asking()
    if is_approved:
        session.approve()
    session.meet(event)  # type: ignore[arg-type]
    assert refused(session) is why
    assert session.is_neutral
    session.approve()
    session.mark(after=1.0)
    assert not session.submitted


@pytest.mark.parametrize("quoted", [True, False])
def test_the_square_off_drops_what_waits(quoted: bool) -> None:
    session = patient(rules=replace(ASK_ME, square_off_minute=9 * 60 + 50))
    session.pass_time(200.0)
    assert session.refusals() == []
    session.now += timedelta(seconds=40.0)
    if quoted:
        session.mark()
    else:
        session.meet(DeadlinePassed())
    assert refused(session) is Refusal.OUTSIDE_HOURS


def test_a_signal_that_lives_longer_gives_more_time() -> None:
    session = patient()
    session.pass_time(14 * 60.0)
    session.poll()
    session.approve()
    session.mark()
    assert len(session.submitted) == 1


def test_a_newer_signal_takes_its_place() -> None:
    session = patient()
    first = session.offer
    session.poll()
    session.close(STEEPLY_DOWN)
    (told,) = session.told(EntryRefused)
    assert (told.reason, told.order_id) == (Refusal.EXPIRED, first.id)
    session.mark(option=session.trading.intent.option.key)  # type: ignore[union-attr]
    assert session.offer.id != first.id
    session.meet(EntryApproved(order_id=first.id, by="someone"))
    assert session.offer.approved_by is None, "that was the other one"


# --- a change of mind ---------------------------------------------------------------------------------------------


def test_who_has_the_last_word_is_asked_at_the_quote() -> None:
    session = wanting()
    session.meet(TradeRulesChanged(rules=ASK_ME))
    session.mark()
    assert not session.submitted
    session.meet(TradeRulesChanged(rules=TradeRules()))
    session.mark(after=1.0)
    assert not session.submitted, "what was asked wants an answer"
    session.approve()
    session.mark(after=1.0)
    assert len(session.submitted) == 1

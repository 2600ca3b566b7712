from inflect.model.event import Counts, StepCounts
from inflect.web.figures import KEPT_S, Sample, Track


def sample(at: float, consumed: int, *, lag: int | None = 0, revision: int = 1) -> Sample:
    steps = {"a": StepCounts(consumed // 2, consumed - consumed // 2, 0)}
    return Sample(at, Counts(consumed, consumed // 2, consumed - consumed // 2), steps, lag, revision)


def track(*samples: Sample) -> Track:
    made = Track()
    for one in samples:
        made.add(one)
    return made


def test_one_sample_has_totals_and_no_rate() -> None:
    figures = track(sample(0, 100)).figures()
    assert (figures.counts.consumed, figures.rate_in, figures.step_rates) == (100, None, {})


def test_rates_are_taken_over_five_seconds() -> None:
    figures = track(*(sample(second, second * 100) for second in range(20))).figures()
    assert (figures.rate_in, figures.rate_out) == (100, 50)
    assert figures.step_rates["a"].filtered == 50


def test_a_rate_ends_when_the_totals_rest() -> None:
    samples = [sample(second, min(second, 10) * 100) for second in range(30)]
    assert track(*samples).figures().rate_in == 0


def test_a_pipeline_made_anew_has_no_negative_rate() -> None:
    figures = track(sample(0, 5000), sample(1, 6000), sample(2, 10)).figures()
    assert figures.rate_in is None
    assert len(figures.points) == 1


def test_only_five_minutes_are_kept() -> None:
    figures = track(*(sample(second, second) for second in range(KEPT_S * 2))).figures()
    assert len(figures.points) == KEPT_S + 1
    assert max(point.age_s for point in figures.points) == KEPT_S


def test_a_new_revision_is_a_mark() -> None:
    figures = track(sample(0, 0), sample(1, 0), sample(2, 0, revision=2), sample(5, 0, revision=2)).figures()
    assert figures.deploys == [(3, 2)]

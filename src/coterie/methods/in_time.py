"""What a time limit leaves of a fit: decided once from timed steps, and kept with its checkpoint."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any

from coterie.data.arrays import ScaledSource
from coterie.engine.checkpoint import saved_decision
from coterie.engine.clock import SMALLEST_IMAGE, Effort, Limits, fit_into, fit_seconds, given_up, step_seconds
from coterie.engine.restarts import SEED_STRIDE
from coterie.engine.runtime import Runtime, make_runtime
from coterie.engine.task import Task
from coterie.engine.training import Session
from coterie.methods.watched import count_session_workers, say
from coterie.nn import averaged_shape

if TYPE_CHECKING:
    from coterie.methods.base import NeuralEstimator, Training

# its name among the values of `restarts`
HALVING = "successive-halving"


def plan_in_time(
    estimator: NeuralEstimator, source: ScaledSource, plan: Training, base: int, traced: str
) -> tuple[Training, dict[str, Any]]:
    """A plan as the estimator's time limit leaves it.

    Parameters
    ----------
    estimator : NeuralEstimator
        Its `max_pixels_` is set to what the limit leaves.
    source : ScaledSource
    plan : Training
    base : int
        Seed of the first restart.
    traced : str
        Fingerprint of the fit: where it has a checkpoint, the decision is the one that stands there.

    Returns
    -------
    plan : Training
    decision : dict
        "time_limit" in seconds, "planned_restarts", "planned_steps" and "max_pixels"; empty without a limit.
    """
    seconds = estimator._seconds_to_train()
    if seconds is None:
        return plan, {}
    runtime = make_runtime(estimator.device, estimator.precision, estimator.compile)
    planned = Effort(
        plan.n_restarts, estimator._task(source, plan, runtime).total_steps, estimator.max_pixels_
    )
    folder = estimator.checkpoint_dir
    decision = {} if folder is None else saved_decision(folder, traced)
    if not decision:
        cost = _Cost(estimator, source, plan, planned.steps, base, runtime)
        found = fit_into(Limits(seconds, plan.keep, smaller_sizes(estimator)), planned, cost)
        say(estimator, runtime, given_up(seconds, planned, found))
        given = {
            "planned_restarts": found.n_restarts,
            "planned_steps": found.steps,
            "max_pixels": found.pixels,
        }
        decision = runtime.agree({"time_limit": seconds, **given})
    estimator.max_pixels_ = decision["max_pixels"]
    return cut_down(plan, planned.steps, decision["planned_restarts"], decision["planned_steps"]), decision


@dataclasses.dataclass
class _Cost:
    """Estimated seconds of an effort; steps are timed once for each size of images."""

    estimator: NeuralEstimator
    source: ScaledSource
    plan: Training
    steps: int
    base: int
    runtime: Runtime

    def __post_init__(self) -> None:
        self._begun = time.monotonic()
        self._measured: dict[int | None, float] = {}

    def __call__(self, effort: Effort) -> float:
        estimator = self.estimator
        estimator.max_pixels_ = effort.pixels
        plan = cut_down(self.plan, self.steps, effort.n_restarts, effort.steps)
        task: Task = estimator._task(self.source, plan, self.runtime)
        if effort.pixels not in self._measured:
            whole = estimator._task(self.source, self.plan, self.runtime)
            self._measured[effort.pixels] = self.runtime.agree(step_seconds(whole, self.base))
        # stacks are taken to last as long as one restart after another
        how = HALVING if (plan.how or estimator.restarts) == HALVING else "sequential"
        session = Session(seeds_from(self.base, effort.n_restarts), plan.keep, how)
        n_workers = count_session_workers(estimator, task, session)
        spent = time.monotonic() - self._begun
        seconds = spent + fit_seconds(task, session, self._measured[effort.pixels], n_workers)
        return self.runtime.agree(seconds)  # processes that decide differently would wait for each other


def smaller_sizes(estimator: NeuralEstimator) -> tuple[int | None, ...]:
    """Numbers of pixels that a network of the library's choice may see: half the sides, again and again."""
    sizes = [estimator.max_pixels_]
    if not estimator._takes_averages() or estimator._start is not None:
        return tuple(sizes)
    block = estimator._averaged_block()
    height, width = averaged_shape(estimator.sample_shape_, block)[-2:]
    pixels = height * width // 4
    while pixels >= SMALLEST_IMAGE:
        sizes.append(pixels)
        pixels //= 4
    return tuple(sizes)


def seeds_from(base: int, count: int) -> list[int]:
    """Seeds of so many restarts."""
    return [base + SEED_STRIDE * number for number in range(count)]


def cut_down(plan: Training, planned: int, n_restarts: int, steps: int) -> Training:
    """A plan of so many restarts and steps, its phases in proportion to the steps that were planned."""
    if steps < planned:
        recipe, objective = plan.recipe.shortened(steps, planned), plan.objective.shortened(steps / planned)
        plan = dataclasses.replace(plan, recipe=recipe, objective=objective)
    return dataclasses.replace(plan, n_restarts=n_restarts)

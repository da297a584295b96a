"""Random programs on ours, on Twisted's own and on an oracle; see model/__init__.py."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from model.actions import Action
from model.draw import Draw
from model.lockstep import Lockstep, Profile, silence
from model.profiles import PROFILES
from model.runner import run, smallest

# Programs as hypothesis draws them, who is good at odd ones, and many more from a seed, which is
# quick: always the same ones. `python tests/model` runs others. What fails is made small by
# runner.smallest(), in seconds; hypothesis would take minutes.
DRAWN = settings(
    max_examples=60,
    stateful_step_count=40,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEEDED_STEPS = 15_000

each_profile = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


@pytest.fixture(scope="module", autouse=True)
def quiet() -> None:
    """What callbacks raise is not printed."""
    silence()


def machine(profile: Profile) -> type[RuleBasedStateMachine]:
    """A state machine with a rule for each kind of action."""

    class Machine(RuleBasedStateMachine):
        @initialize(start=st.sampled_from(profile.starts))
        def begin(self, start: float) -> None:
            self.start = start
            self.program: list[Action] = []
            self.lockstep = Lockstep(profile, start)

        def step(self, action: Action) -> None:
            self.program.append(action)
            try:
                self.lockstep.step(action)
            except Exception:
                failure = smallest(profile, self.start, tuple(self.program))
                raise AssertionError(str(failure)) from None

        def teardown(self) -> None:
            self.lockstep.close()

    def make_rule(kind: type) -> Any:
        chance = st.randoms(note_method_calls=False, use_true_random=False)
        drawn = chance.map(lambda chance: Draw(chance, profile.vocabulary).action(kind))
        return rule(action=drawn)(lambda self, action: self.step(action))

    rules = {f"do_{kind.__name__}": make_rule(kind) for kind in profile.vocabulary.kinds()}
    return type(profile.name, (Machine,), rules)


@each_profile
def test_programs_as_hypothesis_draws_them(profile: Profile) -> None:
    run_state_machine_as_test(machine(profile), settings=DRAWN)


@each_profile
def test_programs_from_a_seed(profile: Profile) -> None:
    failure = run(profile, seed=1, steps=SEEDED_STEPS).failure
    assert failure is None, str(failure)

"""The suites, by name."""

from __future__ import annotations

from benchmarks.suites.adc import ADC_SUITE
from benchmarks.suites.adc_search import ADC_SEARCH
from benchmarks.suites.allocator import ALLOCATOR
from benchmarks.suites.ask import ASK
from benchmarks.suites.augment import AUGMENT
from benchmarks.suites.base import Case, Options, Outcome, Suite
from benchmarks.suites.corrections import CORRECTIONS
from benchmarks.suites.ddc import DDC_SUITES
from benchmarks.suites.ddc_racing import DDC_RACING
from benchmarks.suites.ddc_watched import DDC_WATCHED
from benchmarks.suites.discovery import DISCOVERY
from benchmarks.suites.embedding import EMBEDDING
from benchmarks.suites.encoders import ENCODERS_SUITE
from benchmarks.suites.features import FEATURES
from benchmarks.suites.from_labels import LABELS
from benchmarks.suites.from_pairs import NOISE, OUTPUTS, PAIRS
from benchmarks.suites.l2c import L2C_POINTS
from benchmarks.suites.l2c_metrics import L2C_METRICS
from benchmarks.suites.l2c_tables import L2C_TABLES
from benchmarks.suites.l2c_unseen import L2C_CHARACTERS, L2C_IMAGES, L2C_SPEAKERS, L2C_VOICES
from benchmarks.suites.label_rule import LABEL_RULE
from benchmarks.suites.memmap import MEMMAP
from benchmarks.suites.minutes import MINUTES
from benchmarks.suites.new_kinds import NEW_KINDS
from benchmarks.suites.omniglot import OMNIGLOT
from benchmarks.suites.pair_head import PAIR_HEAD
from benchmarks.suites.pair_losses import PAIR_LOSSES
from benchmarks.suites.peers import PEERS
from benchmarks.suites.racing_schedules import RACING_SCHEDULES
from benchmarks.suites.ranks import RANKS
from benchmarks.suites.read_table import READ_TABLE
from benchmarks.suites.restarts import RESTARTS
from benchmarks.suites.shards import SHARDS
from benchmarks.suites.start_up import START_UP
from benchmarks.suites.step import STEP
from benchmarks.suites.supervised import CIFAR10_SUITE, MNIST_SUITE
from benchmarks.suites.workers import WORKERS

SUITES: dict[str, Suite] = {
    suite.name: suite
    for suite in (
        *(PAIRS, NOISE, OUTPUTS, LABELS, CIFAR10_SUITE, MNIST_SUITE),
        *(*DDC_SUITES, DDC_RACING, RACING_SCHEDULES, DDC_WATCHED),
        *(ADC_SUITE, ADC_SEARCH, OMNIGLOT, DISCOVERY, FEATURES, PEERS, PAIR_HEAD),
        *(L2C_POINTS, L2C_IMAGES, L2C_SPEAKERS, L2C_VOICES, L2C_CHARACTERS, L2C_METRICS, L2C_TABLES),
        *(START_UP, STEP, ALLOCATOR, PAIR_LOSSES, AUGMENT, RESTARTS, WORKERS, MEMMAP, READ_TABLE),
        *(RANKS, SHARDS, LABEL_RULE, MINUTES, EMBEDDING, ENCODERS_SUITE, NEW_KINDS, CORRECTIONS, ASK),
    )
}

__all__ = ["SUITES", "Case", "Options", "Outcome", "Suite"]

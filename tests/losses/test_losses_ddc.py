"""The DDC terms against numbers of the released code and of the paper's equations, and at the extremes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from coterie.losses import ddc
from coterie.losses.ddc import (
    DDCOptions,
    column_orthogonality,
    corners,
    cosine_kernel,
    cs_divergence,
    ddc_terms,
    gaussian_kernel,
    kl_divergence,
    orthogonality,
)

Case = dict[str, Any]
CASES: list[Case] = json.loads((Path(__file__).parent / "ddc.json").read_text())["cases"]
CODE = {"bandwidth_rule": "squared", "reduction": "mean"}
PAPER = {"bandwidth_rule": "distance", "reduction": "paper"}
VARIANTS = [
    DDCOptions(),
    DDCOptions(bandwidth_rule="distance", reduction="paper"),
    DDCOptions(divergence="kl"),
    DDCOptions(kernel="cosine"),
    DDCOptions(sizes="free"),
]


def name(case: Case) -> str:
    return str(case["name"])


def double(values: Any) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def close(actual: Any, expected: Any) -> None:
    torch.testing.assert_close(
        torch.as_tensor(actual, dtype=torch.float64), double(expected), rtol=1e-9, atol=1e-9
    )


def leaves(case: Case) -> tuple[Tensor, Tensor]:
    return double(case["hidden"]).requires_grad_(), double(case["logits"]).requires_grad_()


def random_rows(n: int, e: int, k: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(n, e, generator=generator, dtype=dtype)
    logits = torch.randn(n, k, generator=generator, dtype=dtype)
    return hidden.requires_grad_(), logits.requires_grad_()


def gradients(hidden: Tensor, logits: Tensor, options: DDCOptions) -> tuple[Tensor, Tensor, Tensor]:
    """The total, and its gradients in the hidden rows and the logits."""
    total = torch.stack(list(ddc_terms(hidden, logits.softmax(1), options).values())).sum()
    of_hidden, of_logits = torch.autograd.grad(total, (hidden, logits))
    return total.detach(), of_hidden, of_logits


@pytest.mark.parametrize("case", CASES, ids=name)
def test_equals_the_released_code(case: Case) -> None:
    hidden, logits = leaves(case)
    terms = ddc(hidden, logits.softmax(1), **CODE)  # type: ignore[arg-type]
    expected = case["official_mvc"]
    close(terms["divergence"], expected["ddc_1"])
    close(terms["orthogonality"], expected["ddc_2"])
    close(terms["corners"], expected["ddc_3"])


@pytest.mark.parametrize("case", CASES, ids=name)
def test_equals_the_paper(case: Case) -> None:
    hidden, logits = leaves(case)
    terms = ddc(hidden, logits.softmax(1), **PAPER)  # type: ignore[arg-type]
    expected = case["paper_median_offdiag"]
    close(terms["divergence"], expected["d_hid_alpha"])
    close(terms["orthogonality"], expected["triu_AAT_sum"])
    close(terms["corners"], expected["d_hid_m"])


@pytest.mark.parametrize("case", CASES[:2], ids=name)
def test_gradients_equal_the_released_code(case: Case) -> None:
    hidden, logits = leaves(case)
    terms = ddc(hidden, logits.softmax(1), **CODE)  # type: ignore[arg-type]
    for ours, theirs in (("divergence", "ddc_1"), ("orthogonality", "ddc_2"), ("corners", "ddc_3")):
        expected = case["official_mvc"]["gradients"][theirs]
        of_hidden, of_logits = torch.autograd.grad(
            terms[ours], (hidden, logits), retain_graph=True, materialize_grads=True, allow_unused=True
        )
        close(of_logits, expected["grad_logits"])
        if expected["grad_hidden"] is not None:
            close(of_hidden, expected["grad_hidden"])


@pytest.mark.parametrize("case", CASES[:2], ids=name)
def test_gradients_equal_the_paper(case: Case) -> None:
    _, of_hidden, of_logits = gradients(*leaves(case), VARIANTS[1])
    close(of_hidden, case["paper_median_offdiag"]["grad_hidden_of_total"])
    close(of_logits, case["paper_median_offdiag"]["grad_logits_of_total"])


@pytest.mark.parametrize("case", CASES, ids=name)
def test_the_bandwidth_is_that_of_the_vectors(case: Case) -> None:
    hidden = double(case["hidden"])
    squared = (hidden[:, None] - hidden).square().sum(-1)
    close(gaussian_kernel(hidden), torch.exp(-squared / (2 * case["official_mvc"]["sigma2"])).tolist())
    expected = torch.exp(-squared / (2 * case["paper_median_offdiag"]["sigma2"]))
    close(gaussian_kernel(hidden, VARIANTS[1]), expected.tolist())


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_the_bandwidth_may_come_from_other_rows(options: DDCOptions) -> None:
    """The kernel's exponents keep their ratios; their scale is that of the other rows' distances."""
    hidden, other = (random_rows(12, 3, seed)[0].detach() for seed in (2, 5))
    exponents = gaussian_kernel(hidden, options, other).log()
    squared = (hidden[:, None] - hidden).square().sum(-1)
    theirs = (other[:, None] - other).square().sum(-1)
    wanted = squared / theirs[0, 1] * gaussian_kernel(other, options)[0, 1].log()
    torch.testing.assert_close(exponents, wanted)


@pytest.mark.parametrize("reduction", ["mean", "paper"])
@pytest.mark.parametrize("divergence", [cs_divergence, kl_divergence])
def test_gradcheck_of_divergences(divergence: Any, reduction: str) -> None:
    hidden, logits = random_rows(6, 3, 4)
    # the bandwidth is a constant for the gradient, so that a kernel of fixed width is checked
    scale = -0.3

    def total(hidden: Tensor, logits: Tensor) -> Tensor:
        kernel = torch.exp(scale * (hidden[:, None] - hidden).square().sum(-1))
        prob = logits.softmax(1)
        terms: Tensor = divergence(kernel, prob, reduction) + divergence(kernel, corners(prob), reduction)
        return terms + orthogonality(prob, reduction) + column_orthogonality(prob, reduction)

    assert torch.autograd.gradcheck(total, (hidden, logits))


def test_an_empty_cluster_has_a_gradient_that_fills_it() -> None:
    hidden, logits = leaves(CASES[2])
    total, of_hidden, of_logits = gradients(hidden, logits, DDCOptions())
    close(total, 3.0)
    assert bool(of_hidden.isfinite().all())
    assert float(of_logits[:, 1:].max()) < -1e-3


def test_rows_of_an_empty_cluster_part_by_what_they_are_like() -> None:
    hidden, logits = random_rows(40, 5, 3)
    collapsed = (logits.detach() + torch.tensor([40.0, 0.0, 0.0])).requires_grad_()
    _, _, of_logits = gradients(hidden, collapsed, DDCOptions())
    centred = of_logits - of_logits.mean(0)
    assert float(centred[:, 1:].abs().max()) > 1e-4


def test_descent_leaves_a_collapse() -> None:
    generator = torch.Generator().manual_seed(1)
    hidden = torch.cat([torch.randn(20, 2, generator=generator) + shift for shift in (-4.0, 4.0)])
    weight = (0.1 * torch.randn(2, 2, generator=generator)).requires_grad_()
    bias = torch.tensor([30.0, 0.0], requires_grad=True)
    optimizer = torch.optim.Adam([weight, bias], lr=0.3)
    for _ in range(200):
        optimizer.zero_grad()
        terms = ddc_terms(hidden, (hidden @ weight + bias).softmax(1))
        torch.autograd.backward(torch.stack(list(terms.values())).sum())
        optimizer.step()
    found = (hidden @ weight + bias).argmax(1).tolist()
    assert len(set(found[:20])) == len(set(found[20:])) == 1
    assert found[0] != found[20]


EXTREMES = {
    "one-hot": (1.0, [200.0, 0.0, -200.0]),
    "tiny hidden": (1e-12, [0.0, 0.0, 0.0]),
    "huge hidden": (1e12, [0.0, 0.0, 0.0]),
    "zero hidden": (0.0, [0.0, 0.0, 0.0]),
}


@pytest.mark.parametrize("options", VARIANTS, ids=str)
@pytest.mark.parametrize("extreme", EXTREMES)
def test_float32_is_finite_at_the_extremes(extreme: str, options: DDCOptions) -> None:
    scale, shift = EXTREMES[extreme]
    hidden, logits = random_rows(30, 4, 3, torch.float32)
    hidden = (scale * hidden.detach()).requires_grad_()
    logits = (logits.detach() + torch.tensor(shift)).requires_grad_()
    for value in gradients(hidden, logits, options):
        assert bool(value.isfinite().all())


@pytest.mark.parametrize("options", VARIANTS, ids=str)
@pytest.mark.parametrize("level", [0.0, 1e-3, 1.0, 1e4])
def test_identical_rows_are_finite(level: float, options: DDCOptions) -> None:
    hidden = torch.full((30, 4), level, requires_grad=True)
    logits = torch.tensor([[2.0, 1.0, 0.0]]).repeat(30, 1).requires_grad_()
    total, of_hidden, of_logits = gradients(hidden, logits, options)
    assert bool(total.isfinite())
    assert bool(of_hidden.isfinite().all())
    if options.sizes == "equal":  # rows that are alike to the last digit still learn to spread
        assert float(of_logits.abs().max()) > 1e-3


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_rows_that_mostly_repeat_have_a_kernel_with_a_gradient(options: DDCOptions) -> None:
    hidden = torch.cat([torch.zeros(24, 2), torch.tensor([[1.0, 0.0], [0.0, 2.0]]).repeat(3, 1)])
    logits = random_rows(30, 2, 3, torch.float32)[1]
    total, of_hidden, _ = gradients(hidden.requires_grad_(), logits, options)
    assert bool(total.isfinite())
    assert float(of_hidden.abs().max()) > 1e-5


def test_far_from_the_origin_distances_stay() -> None:
    hidden = random_rows(20, 3, 2, torch.float32)[0].detach()
    torch.testing.assert_close(gaussian_kernel(hidden + 1000), gaussian_kernel(hidden), rtol=0, atol=2e-3)


def test_the_median_of_many_rows_is_taken_over_a_sample() -> None:
    hidden = random_rows(1500, 3, 2)[0].detach()
    exact = 0.15 * (hidden[:, None] - hidden).square().sum(-1).flatten().median()
    sampled = (hidden[0] - hidden[1]).square().sum() / (-2 * gaussian_kernel(hidden)[0, 1].log())
    assert float(sampled) == pytest.approx(float(exact), rel=0.1)
    assert float(sampled) != float(exact)


def test_terms_are_bounded_and_collapse_is_the_worst() -> None:
    hidden, logits = (rows.detach() for rows in random_rows(30, 4, 3))
    terms = ddc(hidden, logits.softmax(1))
    assert all(0 <= float(term) <= 1 for term in terms.values())
    collapsed = ddc(hidden, torch.eye(3, dtype=torch.float64)[torch.zeros(30, dtype=torch.long)])
    assert all(float(collapsed[name]) == pytest.approx(1) for name in terms)


def test_one_cluster_has_nothing_to_separate() -> None:
    terms = ddc(torch.randn(5, 2), torch.ones(5, 1))
    assert float(terms["divergence"]) == float(terms["corners"]) == 0
    assert float(terms["orthogonality"]) == 1


def test_one_row_is_finite() -> None:
    for options in VARIANTS:
        terms = ddc_terms(torch.zeros(1, 2), torch.tensor([[0.6, 0.4]]), options)
        assert all(bool(term.isfinite()) for term in terms.values())


def test_free_sizes_do_not_mind_unequal_clusters() -> None:
    labels = torch.tensor([0] * 27 + [1, 1, 1])
    p = torch.eye(2)[labels]
    hidden = p + 0.01 * torch.randn(30, 2, generator=torch.Generator().manual_seed(0))
    equal = ddc(hidden, p, bandwidth=5.0)
    free = ddc(hidden, p, bandwidth=5.0, sizes="free")
    assert float(equal["orthogonality"]) > 0.8
    assert float(free["orthogonality"]) < 1e-6
    assert float(free["corners"]) < 0.1 * float(equal["corners"])


def test_kl_is_one_for_equal_clusters_and_zero_for_clusters_apart() -> None:
    kernel = torch.eye(2)
    assert float(kl_divergence(kernel, torch.full((2, 2), 0.5))) == pytest.approx(1)
    assert float(kl_divergence(kernel, torch.eye(2))) < 1e-8


def test_the_cosine_kernel_by_hand() -> None:
    hidden = torch.tensor([[3.0, 4.0], [4.0, 3.0], [-3.0, -4.0], [0.0, 0.0]])
    expected = torch.tensor([[1, 0.96, 0, 0], [0.96, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    torch.testing.assert_close(cosine_kernel(hidden), expected)


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_vmap_equals_one_at_a_time(options: DDCOptions) -> None:
    stacks = [random_rows(20, 4, 3), random_rows(20, 4, 3)]
    hidden = torch.stack([stacks[0][0], 2 * stacks[1][0] + 1]).detach()
    prob = torch.stack([stacks[0][1], 3 * stacks[1][1]]).detach().softmax(-1)
    together = torch.func.vmap(lambda h, p: ddc_terms(h, p, options))(hidden, prob)
    for number in range(2):
        for key, term in ddc_terms(hidden[number], prob[number], options).items():
            torch.testing.assert_close(together[key][number], term, rtol=1e-12, atol=1e-14)


def test_half_precision_is_computed_in_float32() -> None:
    hidden, logits = random_rows(20, 4, 3, torch.float32)
    terms = ddc(hidden.half(), logits.softmax(1).half())
    assert all(term.dtype == torch.float32 for term in terms.values())


BAD = [
    ({"hidden": [[1.0]]}, TypeError, "hidden must be a torch tensor, got list"),
    ({"hidden": torch.ones(4, 2, dtype=torch.int64)}, TypeError, "hidden must have a float dtype"),
    ({"hidden": torch.ones(3, 2)}, ValueError, r"hidden must have shape \(4, e\).*got \(3, 2\)"),
    ({"hidden": torch.full((4, 2), torch.nan)}, ValueError, "hidden must be finite"),
    ({"hidden": torch.ones(4, 2, device="meta")}, ValueError, r"device of p \(cpu\), got meta"),
    ({"p": torch.ones(4, 2)}, ValueError, "p must hold softmax rows"),
    ({"bandwidth": 0.0}, ValueError, "bandwidth must be a finite number > 0"),
    ({"bandwidth_rule": "median"}, ValueError, 'bandwidth_rule must be "squared" or "distance"'),
    ({"reduction": "sum"}, ValueError, 'reduction must be "mean" or "paper"'),
    ({"divergence": "js"}, ValueError, 'divergence must be "cs" or "kl"'),
    ({"sizes": "any"}, ValueError, 'sizes must be "equal" or "free"'),
]


@pytest.mark.parametrize(("change", "kind", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input(change: dict[str, Any], kind: type[Exception], message: str) -> None:
    arguments: dict[str, Any] = {"hidden": torch.ones(4, 2), "p": torch.full((4, 2), 0.5)} | change
    hidden, p = arguments.pop("hidden"), arguments.pop("p")
    with pytest.raises(kind, match=message):
        ddc(hidden, p, **arguments)

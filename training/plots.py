"""Pictures of the reports, as SVG text that stands in a page by itself."""

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

mpl.rcParams["svg.hashsalt"] = "jianke"
mpl.rcParams["font.family"] = ["DejaVu Sans"]


def svg(figure: Figure) -> str:
    """The figure as an <svg> element, the same for the same data."""
    stream = io.StringIO()
    figure.savefig(stream, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
    text = stream.getvalue()
    return text[text.index("<svg") :]


def reliability(confident: Sequence[tuple[float, bool]], bins: int = 10) -> Figure:
    """Accuracy against confidence of the chosen category, ten equal-width bins, with their sizes."""
    confidence = np.array([value for value, _ in confident])
    right = np.array([ok for _, ok in confident], dtype=float)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    figure = Figure(figsize=(4.2, 3.6))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], "--", color="#999999", linewidth=1)
    filled = [number for number in range(bins) if (place == number).any()]
    axes.bar([(number + 0.5) / bins for number in filled], [right[place == number].mean() for number in filled], 0.09, color="#7FA6C9")
    axes.plot(
        [confidence[place == number].mean() for number in filled],
        [right[place == number].mean() for number in filled],
        "o-",
        color="#2F4B66",
    )
    for number in filled:
        axes.annotate(str(int((place == number).sum())), ((number + 0.5) / bins, 0.02), ha="center", fontsize=7)
    axes.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02), title="reliability (category)")
    return figure


def risk_coverage(confident: Sequence[tuple[float, bool]]) -> Figure:
    """Error among the most confident share of records, against that share."""
    ranked = sorted(confident, key=lambda pair: -pair[0])
    errors = np.cumsum([not ok for _, ok in ranked]) / np.arange(1, len(ranked) + 1)
    coverage = np.arange(1, len(ranked) + 1) / max(1, len(ranked))
    figure = Figure(figsize=(4.2, 3.6))
    axes = figure.subplots()
    axes.plot(coverage, errors, color="#2F4B66")
    for level in (0.005, 0.01, 0.02):
        axes.axhline(level, color="#C0392B", linewidth=0.6, linestyle=":")
    axes.set(xlabel="coverage", ylabel="error", xlim=(0, 1), ylim=(0, None), title="risk and coverage (category)")
    return figure


def confusion(counts: np.ndarray, labels: Sequence[str]) -> Figure:
    """Confusion matrix: gold in rows, said in columns."""
    figure = Figure(figsize=(4.2, 3.6))
    axes = figure.subplots()
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for row in range(len(labels)):
        for column in range(len(labels)):
            dark = counts[row, column] > 0.6 * counts[row].sum()
            axes.text(column, row, str(int(counts[row, column])), ha="center", va="center", color="white" if dark else "black")
    axes.set(xticks=range(len(labels)), yticks=range(len(labels)), xlabel="said", ylabel="gold", title="confusion (category)")
    axes.set_xticklabels(labels, fontsize=8)
    axes.set_yticklabels(labels, fontsize=8)
    return figure


def learning_curve(sizes: Sequence[int], heads: Mapping[str, Sequence[float]]) -> Figure:
    """Quality against the number of training texts, a line a head."""
    figure = Figure(figsize=(6, 3.8))
    axes = figure.subplots()
    for name, values in heads.items():
        axes.plot(sizes, values, "o-", label=name)
    axes.set(xlabel="training texts", ylabel="F1 / accuracy on the test split", ylim=(0.4, 1))
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, ncols=2)
    return figure

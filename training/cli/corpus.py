"""`jianke-train corpus`: what the corpus holds and whether it is sound."""

import typer

from classifier.errors import InputError
from training.agreement import kappas
from training.checks import counts, coverage_gaps, habits, label_errors, split_leaks
from training.corpus import corpus_files, read_examples

app = typer.Typer(help="语料检查。", no_args_is_help=True)


@app.command()
def check() -> None:
    """Check labels, coverage, splits and habits; ends with status 2 when anything falls short."""
    examples = read_examples(corpus_files())
    for name, number in sorted(counts(examples).items()):
        typer.echo(f"{name:<32} {number}")
    for name, figure in habits(examples).items():
        typer.echo(f"{name:<32} {figure}")
    problems = [*label_errors(examples), *coverage_gaps(examples), *split_leaks(examples)]
    for problem in problems:
        typer.echo(f"✗ {problem}", err=True)
    if problems:
        raise InputError("E118", found=f"{len(problems)}")
    typer.echo(f"✓ {len(examples)} 条语料，标注、覆盖与划分均符合要求")


@app.command()
def agreement() -> None:
    """Cohen's κ between the writers' labels and the blind second labels, by head."""
    for head, (kappa, number) in kappas(read_examples(corpus_files())).items():
        typer.echo(f"{head:<12} κ = {kappa:.3f}  (n = {number})")


@app.command()
def card() -> None:
    """Count, measure agreement, train the learning curve, and write the figures into the data card."""
    from training.datacard import CARD, write_datacard

    write_datacard(read_examples(corpus_files()))
    typer.echo(f"已写入 {CARD}")


@app.command()
def suspects(most: int = typer.Option(60, help="最多列出几条。")) -> None:
    """Records whose category the model and cleanlab doubt, most doubtful first: places to look, not verdicts."""
    from training.suspects import label_suspects

    for example, said, chance in label_suspects(read_examples(corpus_files()))[:most]:
        typer.echo(f"{example.id}　标 {example.category}，似 {said}（标注的概率 {chance:.2f}）　{example.text[:60]!r}")

"""The tables of README.md and docs/results/README.md, from the result files beside this script.

python docs/results/tables.py           prints them
python docs/results/tables.py --write   replaces them between their <!-- table: NAME --> marks
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
PAGES = (HERE.parent.parent / "README.md", HERE / "README.md")
MARK = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def load(pattern: str) -> list[tuple[str, dict[str, Any]]]:
    """(name, result) of the files that match, in the order of their names."""
    return [(p.stem, json.loads(p.read_text(encoding="utf-8"))) for p in sorted(HERE.glob(pattern))]


def summaries(pattern: str) -> dict[str, dict[str, Any]]:
    """name: what the run claims, of the files that match."""
    return {name: result["summary"] for name, result in load(pattern)}


def percent(rate: float, digits: int = 1) -> str:
    return f"{100 * rate:.{digits}f} %"


def interval(low_high: list[float]) -> str:
    return f"{100 * low_high[0]:.1f} to {100 * low_high[1]:.1f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def talk() -> str:
    """Ours against the talk's numbers."""
    judges = [judge["test_accuracy"] for judge in summaries("lenet5-mix*.json").values()]
    runs = list(summaries("vae-mix-seed*.json").values())
    unheard = list(summaries("speakers/vae-without-*.json").values())
    epochs = {"judge": _epochs("lenet5-mix*.json"), "vae": _epochs("vae-mix-seed*.json")}
    splits = f"mean of {len(runs)} splits, {epochs['vae']} epochs"
    rows = [
        ["LeNet5 on MNIST's test images", "98.7 % (100 epochs)",
         f"**{percent(mean(judges), 2)}** ({_of(judges, 'seeds')}{epochs['judge']} epochs)"],
        ["VAE, pictures from test audio that LeNet5 reads as the spoken digit (z = μ)",
         "93.7 % (100 epochs)", f"**{percent(mean([r['agreement'] for r in runs]))}** ({splits})"],
        ["the same, z drawn", "not said which z",
         f"{percent(mean([r['agreement_sampled'] for r in runs]))}"],
        ["the same for a voice that was never heard, z = μ", "not tested",
         f"{percent(mean([r['agreement'] for r in unheard]))} (mean of {len(unheard)} speakers)"],
        ["variety of a clip's pictures, of that of real ones", "\"archetypes\"", _variety("vae")],
        ["VAE parameters", "20,950,529", "20,950,529"],
    ]  # fmt: skip
    rows += _with_a_better_ear() + _various()
    return table(["", "the talk", "tinya2i"], rows)


def _with_a_better_ear() -> list[list[str]]:
    """The VAE that starts from a contrastive ear and hears changed clips."""
    seen, unheard = (
        list(summaries(f"ear/vae-{which}.json").values()) for which in ("seed*", "without-*")
    )
    (mu, _, drawn, *_), (mu_unheard, _, drawn_unheard, *_) = _mean_rates(seen), _mean_rates(unheard)
    first = f"**{mu}**, {drawn} ({_of(seen, 'splits')}1 + 1 epochs)"
    second = f"**{mu_unheard}**, {drawn_unheard} ({_of(unheard, 'speakers').rstrip(', ')})"
    return [
        ["VAE with a better ear, which the talk has not: z = μ, z drawn", "", first],
        ["the same for a voice that was never heard", "", second],
    ]


def _various() -> list[list[str]]:
    """The models whose noise means something: the VAE-GAN, and the conditional VAE."""
    rows, z = [], "which the talk has not: z = μ, z drawn"
    for what, pattern, of_talk in (
        (f"VAE-GAN whose alpha rises, {z}", "rising", ("79 % (100 epochs)", "more diverse")),
        (f"conditional VAE with the better ear, {z}", "cvae", ("", "")),
    ):
        runs = [result for _, result in load(f"*/{pattern}-*.json")]
        found = [run["summary"] for run in runs]
        mu, _, drawn, *_ = _mean_rates(found)
        epochs = found[0]["epochs"]
        trained = f"{_of(found, 'splits')}{epochs} epoch{'s' if epochs > 1 else ''}"
        variety = percent(mean([_shares(run["measured"])[0] for run in runs]))
        rows += [[what, of_talk[0], f"**{mu}**, {drawn} ({trained})"],
                 ["variety of its pictures of a clip", of_talk[1], f"**{variety}**"]]  # fmt: skip
    return rows


def _variety(model: str) -> str:
    """Mean distance of two pictures of a clip, in pixels, as a share of that of real pictures."""
    found = [r for _, r in load("quality-*.json") if r["flags"]["model"] == model]
    return percent(mean([_shares(result["rows"]["generated"])[0] for result in found]))


def _epochs(pattern: str) -> str:
    return " or ".join(sorted({str(result["summary"]["epochs"]) for _, result in load(pattern)}))


def _of(values: list[float], what: str) -> str:
    return f"mean of {len(values)} {what}, " if len(values) > 1 else ""


def vae_splits() -> str:
    """The VAE on the real mix, a row a split."""
    rows = [_vae_row(f"split {result['summary']['seed']}", result["summary"])
            for _, result in load("vae-mix-seed*.json")]  # fmt: skip
    return table(["", *_VAE_HEAD], rows)


_VAE_HEAD = [
    "agreement, z = μ", "95 %", "z drawn", "unique clips, z = μ", "unique clips, z drawn",
    "KL (nats)", "reconstruction (nats)",
]  # fmt: skip


def _vae_row(name: str, s: dict[str, Any]) -> list[str]:
    return [
        name, percent(s["agreement"]), interval(s["agreement_interval"]),
        percent(s["agreement_sampled"]), percent(s["agreement_unique"]),
        percent(s["agreement_sampled_unique"]), f"{s['kl']:.2g}" if "kl" in s else "",
        f"{s['reconstruction']:.1f}",
    ]  # fmt: skip


def _mean_rates(runs: list[dict[str, Any]]) -> list[str]:
    """Means of a _vae_row's agreements, in its columns: no interval."""
    names = ("agreement_sampled", "agreement_unique", "agreement_sampled_unique")
    rest = (percent(mean([s[name] for s in runs])) for name in names)
    return [percent(mean([s["agreement"] for s in runs])), "", *rest]


def settings() -> str:
    """One setting changed at a time, a row a run."""
    rows = [[*_vae_row(name, result["summary"]), "yes" if _collapsed(result) else ""]
            for name, result in load("settings/*.json")]  # fmt: skip
    rows.sort(key=lambda row: -float(row[1].split()[0]))
    return table(["setting", *_VAE_HEAD, "collapse reported"], rows)


def _collapsed(result: dict[str, Any]) -> bool:
    return any("collapse" in text for text in result["epochs"][-1].get("warnings", []))


def commands() -> str:
    """The command of each result file."""
    folders = ("", "settings/", "speakers/", "vaegan/", "listen/", "belong/", "ear/",
               "ear/trials/")  # fmt: skip
    files = [(folder, load(f"{folder}*.json")) for folder in folders]
    rows = [[f"`{folder}{name}.json`", f"`{result['command']}`", result["date"]]
            for folder, results in files for name, result in results
            if "command" in result]  # fmt: skip
    return table(["file", "command", "date"], rows)


def speed() -> str:
    """Seconds a step against PyTorch."""
    rows = []
    for _, result in load("benchmark.json"):
        for name, s in result["steps"].items():
            best = s["pytorch"][s["best_pytorch"]]
            memory = {side: f"{size / 2**20:.0f} MiB" for side, size in s["peak_memory"].items()}
            rows.append([
                name, f"{1000 * s['ours']:.1f} ms", f"{1000 * best:.1f} ms ({s['best_pytorch']})",
                f"**{s['ratio']:.2f}** ({s['minimum']['ratio']:.2f})",
                percent(s["sgemm_fraction"], 0), percent(s["pytorch_sgemm_fraction"], 0),
                memory["ours"], memory["pytorch"],
            ])  # fmt: skip
    head = ["step, batch 128", "tinya2i", "PyTorch, best of four", "ratio (of the fastest steps)",
            "of sgemm's rate", "PyTorch's", "peak memory", "PyTorch's"]  # fmt: skip
    return table(head, rows)


def features() -> str:
    """Sound, data and one picture."""
    rows = []
    for _, result in load("features.json"):
        found = result["features"]
        mel, mix, picture = found["log_mel"], found["mix"], found["picture"]
        rows.append([f"log-mel of {found['clips']:,} WAV files", _ms(mel["ours"]), ""])
        for name, seconds in mel["librosa"].items():
            rows.append([f"the same, librosa {mel['version']} in a loop: {name}", _ms(seconds),
                         f"{mel['faster'][name]:.1f} times ours"])  # fmt: skip
        rows.append([f"the mix ({mix['pairs']:,} training pairs) in memory, warm cache",
                     _ms(mix["median"]), f"at most {_ms(mix['maximum'])}"])  # fmt: skip
        rows.append(["one WAV file to one picture, model in memory", _ms(picture["median"]),
                     f"at most {_ms(picture['maximum'])} of {picture['calls']}"])  # fmt: skip
    return table(["", "median", ""], rows)


def growth() -> str:
    """Steps over batch sizes and threads."""
    rows = [
        [name, str(at["batch_size"]), str(at["threads"]), _ms(at["ours"]),
         f"{1e6 * at['ours'] / at['batch_size']:.0f} µs", _ms(at["pytorch"][at["best_pytorch"]]),
         f"{at['ratio']:.2f}"]
        for _, result in load("growth.json")
        for name, step in result["growth"].items() for axis in ("batch", "threads")
        for at in step[axis]
    ]  # fmt: skip
    head = ["step", "batch", "threads", "tinya2i", "an example", "PyTorch, best of four", "ratio"]
    return table(head, rows)


def quality() -> str:
    """Generators beside what they have to beat."""
    results = [result for _, result in load("quality-*.json")]
    rows = [_quality_row(_name(r["flags"]), r["rows"]["generated"]) for r in results]
    of_vae = next(r["rows"] for r in results if r["flags"]["model"] == "vae")
    rows += [_quality_row(name.replace("_", " "), row) for name, row in of_vae.items()
             if name != "generated"]  # fmt: skip
    head = ["pictures", "agreement, z drawn", "a clip's variety: pixels", "features",
            "a digit's: pixels", "features", "precision", "recall", "density", "coverage",
            "LeNet-FID", "to training"]  # fmt: skip
    return table(head, rows)


def _name(flags: dict[str, Any]) -> str:
    hybrid = f", hybrid {flags['hybrid']:g}" if "hybrid" in flags else ""
    split = f", split {flags['seed']}" if flags.get("seed") else ""
    return flags["model"].upper() + hybrid + split


def _quality_row(name: str, row: dict[str, Any]) -> list[str]:
    return [
        name, percent(row["agreement"]["rate"]),
        *(percent(row[group][kind]["share"]) for group in ("per_clip", "within_digit")
          for kind in ("pixel_distance", "feature_distance")),
        *(percent(row[key]) for key in ("precision", "recall", "density", "coverage")),
        f"{row['lenet_fid']:.1f}", f"{row['neighbour']['median']:.2f}",
    ]  # fmt: skip


def vaegan() -> str:
    """The VAE-GAN's runs."""
    rows = [
        [f"`{name}.json`", str(r["summary"]["epochs"]), *_vae_row("", r["summary"])[1:]]
        for name, r in load("vaegan-mix-*.json")
    ]
    return table(["run", "epochs", *_VAE_HEAD], rows)


def speakers() -> str:
    """Voices that were never heard: each left out in turn."""
    runs = [_without(result) for _, result in load("speakers/*.json")]
    rows = [[model, speaker, *_vae_row("", summary)[1:-2]] for model, speaker, summary in runs]
    for model in dict.fromkeys(model for model, _, _ in runs):
        of = [summary for name, _, summary in runs if name == model]
        rows.append([f"{model}, mean", "", *_mean_rates(of)])
    return table(["model", "speaker left out", *_VAE_HEAD[:-2]], rows)


def variants() -> str:
    """The VAE-GAN with other settings, and the plain GAN: a row a run."""
    rows = []
    for name, result in load("vaegan/*.json"):
        s, found = result["summary"], result["measured"]
        command = result["command"]
        rows.append([
            f"`{name}`", _weight(command, "alpha", "0.2"), _weight(command, "beta", "0.5"),
            str(s["steps"]), percent(s["agreement_sampled_unique"]),
            percent(s["agreement_unique"]), *map(percent, _shares(found)),
            f"{found['lenet_fid']:.0f}", f"{s['kl']:.1f}", "; ".join(_warned(result)),
        ])  # fmt: skip
    head = ["run", "alpha", "beta", "steps", "agreement, z drawn", "z = μ",
            "a clip's variety: pixels", "features", "LeNet-FID", "KL",
            "the log warns"]  # fmt: skip
    return table(head, rows)


def listening() -> str:
    """The VAE-GAN that draws first and then listens, a row a run."""
    rows = []
    for name, result in load("listen/*.json"):
        s, found = result["summary"], result["measured"]
        drawn = "agreement_sampled_unique"
        rates = [s[drawn], s["agreement_unique"], *_shares(found), found["precision"],
                 found["recall"]]  # fmt: skip
        cells = [*map(percent, rates), f"{found['lenet_fid']:.0f}", f"{s['kl']:.1f}"]
        cells.insert(1, interval(s[f"{drawn}_interval"]))
        last = _weight(result["command"], "alpha", "0.2")
        rows.append([f"`{name}`", last, str(s["steps"]), *cells])
    head = ["run", "last alpha", "steps", "agreement, z drawn", "95 %", "z = μ",
            "a clip's variety: pixels", "features", "precision", "recall", "LeNet-FID",
            "KL"]  # fmt: skip
    return table(head, rows)


def _shares(measured: dict[str, Any]) -> list[float]:
    """A clip's variety in pixels and in features, as a share of that of real pictures."""
    return [measured["per_clip"][f"{kind}_distance"]["share"] for kind in ("pixel", "feature")]


def _weight(command: str, name: str, default: str) -> str:
    found = re.search(rf"--{name} (\S+)", command)
    return found[1] if found else default


def _warned(result: dict[str, Any]) -> list[str]:
    """The first words of each warning in the last row of metrics.jsonl."""
    return [text.split(":")[0] for text in result["epochs"][-1].get("warnings", [])]


def learned() -> str:
    """What a judge learns from the pictures alone, and how near they are to the digit's mean."""
    rows = []
    patterns = ("*.json", "vaegan/*.json", "listen/*.json", "ear/cvae-*.json")
    for name, result in [each for pattern in patterns for each in load(pattern)]:
        found = result.get("measured", {})
        if "cas" in found:
            scores = [percent(found["cas"][kind]["rate"]) for kind in ("generated", "real")]
            near = [f"{found['archetypes'][kind]:.2f}" for kind in ("mu", "drawn", "mean_drawn")]
            rows.append([f"`{name}`", *scores, *near])
    head = ["run", "judge taught by its pictures", "by real ones", "distance to the mean: z = μ",
            "z drawn", "mean of 16 drawn"]  # fmt: skip
    return table(head, rows)


def _without(result: dict[str, Any]) -> tuple[str, str, dict[str, Any]]:
    """(model, speaker, summary) of a run with --split speaker:NAME."""
    model = re.search(r"train_(\w+)\.py", result["command"])[1].upper()
    return model, result["data"]["split"].removeprefix("speaker:"), result["summary"]


def tradeoff() -> str:
    """Consistency and variety, a row a run."""
    heads = {"agreement": "agreement, z drawn", "interval": "95 %", "agreement_mu": "z = μ",
             "diversity": "a clip's variety: pixels", "diversity_features": "features",
             "within_digit": "a digit's: pixels"}  # fmt: skip
    rows = [
        [point["group"], point["label"], *(
            interval(point[name]) if name == "interval" else percent(point[name]) for name in heads
        ), f"{point['lenet_fid']:.0f}", "" if point["kl"] is None else f"{point['kl']:.1f}"]
        for _, result in load("tradeoff*.json") for point in result["points"]
    ]  # fmt: skip
    return table(["run", "", *heads.values(), "LeNet-FID", "KL to N(0, 1)"], rows)


def belong() -> str:
    """What towers learned about pairs, and what a linear probe reads in them."""
    names = ("accuracy", "ceiling", "accuracy_class_aware", "recall_1", "ndcg_30", "probe_eye",
             "probe_ear")  # fmt: skip
    runs = summaries("belong/*.json")
    rows = [[f"`{name}`", *(percent(s[key]) if key in s else "" for key in names)]
            for name, s in runs.items()]  # fmt: skip
    before = runs["correspondence"]
    blank = [""] * (len(names) - 2)
    rows.append(["untrained", *blank, *(percent(before[f"{k}_untrained"]) for k in names[-2:])])
    head = ["run", "right about pairs", "at most", "no accidents", "recall@1", "nDCG@30",
            "probe of the eye", "of the ear"]  # fmt: skip
    return table(head, rows)


def search() -> str:
    """The same searched in all ways, by `examples/retrieve.py`."""
    rows = []
    for name, result in load("belong/*.json"):
        for way, found in result.get("measured", {}).get("search", {}).items():
            recalls = [percent(found[f"recall_{k}"]["rate"]) for k in (1, 5, 10)]
            rows.append([f"`{name}`", way.replace("_", " "), *recalls,
                         percent(found["ndcg_30"]["rate"])])  # fmt: skip
    return table(["run", "what finds what", "recall@1", "@5", "@10", "nDCG@30"], rows)


def led_back() -> str:
    """Whether generated pictures lead back to their sounds, a row a kind of picture."""
    rows = []
    for name, result in load("ear/vae*.json"):
        for kind, row in result.get("measured", {}).get("led_back", {}).items():
            own, first = row["own"], row["recall_1"]
            rows.append([f"`{name}`", {"mu": "z = μ", "drawn": "z drawn"}.get(kind, kind),
                         f"{own['rank']:.1f}", f"{own['digit']:.1f}", f"{own['chance']:.1f}",
                         percent(first["rate"]), percent(row["lenet5"]["rate"]),
                         percent(row["same"])])  # fmt: skip
    head = ["run", "pictures", "rank of the own clip", "if only the digit shows", "by chance",
            "the first clip says the digit", "LeNet5 reads it", "both say the same"]  # fmt: skip
    return table(head, rows)


def better_ear() -> str:
    """The VAE with the better ear, a row a split and the means; how well its ear found pictures."""
    groups = {"the talk's split": "seed*", "official": "official", "unheard": "without-*"}
    rows = []
    for group, pattern in groups.items():
        runs, ears = (summaries(f"ear/{kind}-{pattern}.json") for kind in ("vae", "ear"))
        found = [ears[name.replace("vae-", "ear-")]["recall_1"] for name in runs]
        rows += [[group, name.removeprefix("vae-"), percent(at), *_vae_row("", s)[1:]]
                 for (name, s), at in zip(runs.items(), found, strict=True)]  # fmt: skip
        if len(runs) > 1:
            means = [percent(mean(found)), *_mean_rates(list(runs.values())), "", ""]
            rows.append([group, f"**mean of {len(runs)}**", *means])
    return table(["", "split", "the ear's recall@1", *_VAE_HEAD], rows)


def ear_and_noise() -> str:
    """The conditional VAE with the better ear, a row a split and the means."""
    runs, rows, shares = load("ear/cvae-*.json"), [], []
    for name, result in runs:
        of = result["measured"]
        shares.append(_shares(of))
        rows.append([name.removeprefix("cvae-"), *_vae_row("", result["summary"])[1:-2],
                     *map(percent, shares[-1]), percent(of["precision"]), percent(of["recall"]),
                     f"{of['lenet_fid']:.0f}"])  # fmt: skip
    means = _mean_rates([result["summary"] for _, result in runs])
    of_variety = (percent(mean(column)) for column in zip(*shares, strict=True))
    rows.append([f"**mean of {len(runs)}**", *means, *of_variety, "", "", ""])
    head = ["split", *_VAE_HEAD[:-2], "a clip's variety: pixels", "features", "precision",
            "recall", "LeNet-FID"]  # fmt: skip
    return table(head, rows)


def ear_trials() -> str:
    """What was tried before on splits that were looked at."""
    rows = [[f"`{name}`", *_vae_row("", s)[1:]]
            for name, s in summaries("ear/trials/vae-*.json").items()]  # fmt: skip
    return table(["trial", *_VAE_HEAD], rows)


def convolutions() -> str:
    """Each convolution in the plain way and in the one that is taken."""
    rows = [
        [row["step"], " → ".join("×".join(map(str, row[end])) for end in ("x", "y")),
         f"`{row['way']}`", *(_ms(row[key][which], 2) if which in row[key] else "–"
                              for key in _CONVOLUTION for which in ("plain", "way"))]
        for _, result in load("convolutions.json") for row in result["convolutions"]
    ]  # fmt: skip
    head = [text for name in ("forward", "dX", "dW") for text in (f"{name}, plain", "its way")]
    return table(["step", "convolution", "way", *head], rows)


_CONVOLUTION = ("forward", "input_grad", "weight_grad")


def _ms(seconds: float, digits: int = 1) -> str:
    return f"{1e3 * seconds:.{digits}f} ms"


TABLES = {
    "talk": talk, "vae-splits": vae_splits, "settings": settings, "commands": commands,
    "speed": speed, "features": features, "growth": growth,
    "convolutions": convolutions,
    "vaegan": vaegan, "variants": variants, "learned": learned, "quality": quality,
    "speakers": speakers, "tradeoff": tradeoff, "belong": belong, "search": search,
    "led-back": led_back, "better-ear": better_ear, "ear-trials": ear_trials,
    "ear-and-noise": ear_and_noise, "listening": listening,
}  # fmt: skip


def filled(text: str) -> str:
    """The page with every marked table made anew."""
    return MARK.sub(lambda m: m[1] + TABLES[m[2]]() + m[3], text)


def main() -> None:
    if "--write" in sys.argv[1:]:
        for page in PAGES:
            page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
        return
    for name, make in TABLES.items():
        print(f"{name}\n\n{make()}")


if __name__ == "__main__":
    main()

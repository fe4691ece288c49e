"""What was measured, beside its target: printed as it comes, written as a table at the end."""

import dataclasses
import platform
import os
import time


@dataclasses.dataclass
class Row:
    what: str
    target: str
    reached: str
    met: bool | None  # None: reported without a target


class Report:
    def __init__(self):
        self.sections = []

    def section(self, title, note=""):
        self.sections.append((title, note, []))
        print(f"\n{title}", flush=True)

    def add(self, what, reached, target="", met=None):
        row = Row(what, target, reached, met)
        self.sections[-1][-1].append(row)
        mark = {True: "met", False: "NOT MET", None: ""}[met]
        print(f"  {what:66} {reached:>12}  {target:>13}  {mark}", flush=True)

    def at_least(self, what, value, target, text):
        """Adds a figure that must not be smaller than `target`; `text` formats both."""
        self.add(what, text(value), f">= {text(target)}", value >= target)

    def at_most(self, what, value, target, text):
        self.add(what, text(value), f"<= {text(target)}", value <= target)

    def write(self, path, quick):
        lines = [
            "# Benchmark report", "",
            f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} cores ({processor()}), "
            f"{platform.system()} {platform.release()}; "
            f"`./dev bench{' --quick' if quick else ''}`.",
            "Client and servers share these cores.", ""]
        for title, note, rows in self.sections:
            lines += [f"## {title}", ""] + ([note, ""] if note else [])
            lines += ["| measured | reached | target | |", "|---|---|---|---|"]
            for row in rows:
                mark = {True: "met", False: "**not met**", None: ""}[row.met]
                lines.append(f"| {row.what} | {row.reached} | {row.target} | {mark} |")
            lines.append("")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines), encoding="utf-8")


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def millions(value):
    return f"{value / 1e6:.2f} M/s"


def thousands(value):
    return f"{value / 1e3:.0f} k/s"


def ratio(value):
    return f"{value:.2f}"


def seconds(value):
    return f"{value:.3f} s"


def milliseconds(value):
    return f"{value * 1e3:.2f} ms"


def microseconds(value):
    return f"{value * 1e6:,.0f} us"


def whole_bytes(value):
    return f"{value:.0f} B"

#!/usr/bin/env python3
"""Checks what the pages of the project show against the project and the program.

usage: docs.py ROOT SRQ
Pages are README.md, docs/*.md, experiments/README.md and experiments/results/*.md below ROOT. SRQ is the program. Checked are:

- links: the file exists, and so does the heading of a #anchor;
- command lines in code blocks and in backticks that start with srq, mpirun, srun, sbatch or a script of the project: the
  command and the script exist, the script is executable, options are in the help of the command (or in the script),
  and files of the project that are named exist;
- paths of the project in backticks: they exist, except a new file whose content follows (`PATH`: and a code block);
- texts that follow <!-- generated: srq COMMAND -->: they are what the command prints;
- `srun` in front of srq: with --mpi, because most builds of MPI start single processes without it;
- settings (group.name in backticks or before "=", and names in a group of a configuration): srq knows them.

Prints a line for each mistake, PAGE: MISTAKE, and ends with status 1 if there is one.
"""
import glob
import os
import re
import shlex
import subprocess
import sys

root, srq = sys.argv[1:]
mistakes = []
GROUPS = "data|train|optimizer|schedule|quantizer|dropbits|prune"
FILES = {"bin", "c", "cfg", "csv", "h", "h5", "html", "json", "md", "sbatch", "sh", "txt"}  # train.bin is no setting
PROJECT = re.compile(r"(core|dist|io|experiments|tests|slurm|docs|cmake)/[\w.@+/-]*$")
helps = {}


def help_of(*command):
    """What `srq help` prints on a command, or None if there is no such command."""
    if command not in helps:
        done = subprocess.run([srq, "help", *command], capture_output=True, text=True)
        helps[command] = done.stdout if done.returncode == 0 else None
    return helps[command]


SETTINGS = set(re.findall(r"^ +((?:%s)\.\w+)" % GROUPS, help_of("configuration") or "", re.M))


def split_page(text):
    """The prose of a page, and its code blocks: fenced ones, and indented ones after an empty line."""
    prose, blocks, block, fence, before = [], [], None, False, ""
    for line in text.split("\n"):
        if line.startswith("```"):
            fence, block = not fence, None if fence else []
            if fence:
                blocks.append(block)
        elif fence:
            block.append(line)
        elif line.startswith("    ") and (block is not None or not before.strip()):
            if block is None:
                block = []
                blocks.append(block)
            block.append(line[4:])
        elif not line.strip() and block is not None:
            block.append("")
        else:
            block = None
            prose.append(line)
        before = line
    return "\n".join(prose), ["\n".join(b) for b in blocks]


def anchors(path):
    """The anchors of the headings of a page, as GitHub makes them."""
    found = set()
    for heading in re.findall(r"^#+ +(.*)", split_page(open(path).read())[0], re.M):
        heading = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        n = 0
        while (name := f"{slug}-{n}" if n else slug) in found:
            n += 1
        found.add(name)
    return found


def check_links(page, prose):
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", prose)):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        path = os.path.normpath(os.path.join(os.path.dirname(page), path)) if path else page
        if not os.path.exists(path):
            yield f"links to {target}, but the file does not exist"
        elif anchor and anchor not in anchors(path):
            yield f"links to {target}, but there is no such heading"


def known(setting):
    layer = re.fullmatch(r"quantizer\.layers\.\S+\.(\w+)", setting)  # of a single layer
    if layer and re.search(r"with any of [^.]*\b%s\b" % layer[1], " ".join((help_of("configuration") or "").split())):
        return
    if setting not in SETTINGS:
        yield f"names the setting {setting}, which srq does not know"


def check_settings(text):
    for group, name in re.findall(r"\b(%s)\.([a-z_0-9]+)\b" % GROUPS, text):
        if name not in FILES:
            yield from known(f"{group}.{name}")


def check_groups(block):
    """Settings in groups of a configuration, such as train = { seed = 1; };"""
    block = re.sub(r"#.*", "", block)
    while block != (block := re.sub(r"\([^()]*\)", "", block)):
        pass
    for group, body in re.findall(r"\b(%s) = \{([^{}]*)\}" % GROUPS, block):
        for name in re.findall(r"(?:^|[;\s])([a-z_]+) =", body):
            yield from known(f"{group}.{name}")


def words_of(line):
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        return list(lexer)
    except ValueError:  # a quotation that goes on in the next line
        return line.split()


def commands_of(line):
    """The commands of a shell line, each a list of words."""
    command = []
    for word in words_of(line) + [";"]:
        if re.fullmatch(r"[();<>|&]+", word):
            yield command
            command = []
        elif command or not re.match(r"(do|then|export|\$|\w+=\S*)$", word):
            command.append(word.strip("[]"))


def check_options(words, text, name):
    for i, word in enumerate(words):
        option = word.split("=")[0]
        if re.match(r"--\w", option) and not re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(option), text):
            yield f"shows {option}, which is no option of {name}"
        if i and words[i - 1] == "--set":
            setting = word.split("=")[0]
            if setting not in ("path", "model", "…:"):
                yield from known(setting)


def check_srq(words):
    if not words or not re.fullmatch(r"[a-z]+", words[0]):
        return
    text = help_of(words[0])
    if text is None:
        yield f"shows srq {words[0]}, which is not a command"
        return
    yield from check_options(words[1:], text, f"srq {words[0]}")


def check_script(path, words):
    if not os.path.isfile(os.path.join(root, path)):
        yield f"starts {path}, which does not exist"
    elif not os.access(os.path.join(root, path), os.X_OK):
        yield f"starts {path}, which is not executable"
    else:
        text = open(os.path.join(root, path)).read()
        yield from check_options([w for w in words if " " not in w], text, path)


def check_sbatch(words):
    """sbatch OPTIONS SCRIPT CONFIG RUN OPTIONS-OF-SRQ: the scripts take those of the command they run."""
    at = next((i for i, w in enumerate(words) if w.endswith(".sbatch")), None)
    if at is None:
        return
    path, rest = words[at], words[at + 1:]
    if not os.path.isfile(os.path.join(root, path)):
        yield f"submits {path}, which does not exist"
    else:
        yield from check_options(rest, help_of("ticket" if "ticket" in path else "sweep" if "table" in path else "train"), path)


def check_generated(text):
    """A table that was not made again after a change of the program."""
    for command, body in re.findall(r"<!-- generated: srq ([^>]*) -->\n(.*?)(?=<!-- generated|\Z)", text, re.S):
        done = subprocess.run([srq, *command.split()], capture_output=True, text=True)
        if done.returncode != 0 or not body.strip().startswith(done.stdout.strip()):
            yield f"does not hold what srq {command} prints"


def check_line(line):
    for words in commands_of(line):
        if not words:
            continue
        for word in words:
            if " " in word:  # bash -c '...', --wrap='...'
                yield from check_line(word.partition("=")[2] if word.startswith("--") else word)
            elif PROJECT.match(word) and not os.path.exists(os.path.join(root, word)):
                yield f"names {word}, which does not exist"
        first = words[0]
        if first in ("mpirun", "srun"):
            if "srq" in words:
                if first == "srun" and not any(w.startswith("--mpi") for w in words[:words.index("srq")]):
                    yield "shows srun without --mpi in front of srq"
                yield from check_srq(words[words.index("srq") + 1:])
        elif first == "srq":
            yield from check_srq(words[1:])
        elif first == "sbatch":
            yield from check_sbatch(words[1:])
        elif re.match(r"(experiments|tests|slurm)/.", first) and PROJECT.match(first):
            yield from check_script(first, words[1:])


STARTS = re.compile(r"(\w+=\S* )*(srq|mpirun|srun|sbatch|for|\w+=\$\(|(experiments|tests|slurm)/\S+)( |$)")


def check_page(page):
    text = open(page).read()
    prose, blocks = split_page(text)
    new = re.findall(r"`([^`]+)`:\n\n(?:```|    )", text)
    yield from check_links(page, prose)
    yield from check_generated(text)
    for block in blocks:
        for line in re.sub(r"(\\|&&)\n", lambda m: " " if m[1] == "\\" else "&& ", block).split("\n"):
            if STARTS.match(line.strip()) or "srq " in line:
                yield from check_line(line.strip())
        for setting in re.findall(r"(?:^|[\s\"'])((?:%s)\.[a-z_]+)=" % GROUPS, block):
            yield from known(setting)
        yield from check_groups(block)
    for span in re.findall(r"`([^`]+)`", prose):
        span = " ".join(span.split())
        if re.match(r"(\w+=\S* )*(srq|mpirun|srun|sbatch) ", span) or re.match(r"(experiments|tests|slurm)/\S+ ", span):
            yield from check_line(span)
        elif PROJECT.match(span) and span not in new and not os.path.exists(os.path.join(root, span)):
            yield f"names {span}, which does not exist"
        if span.startswith("--set "):
            yield from check_options(words_of(span), help_of("train"), "srq train")
        elif "/" not in span:
            yield from check_settings(span)
            yield from check_groups(span)


pages = [p for pattern in ("README.md", "docs/*.md", "experiments/README.md", "experiments/results/*.md")
         for p in sorted(glob.glob(os.path.join(root, pattern)))]
for page in pages:
    for mistake in dict.fromkeys(check_page(page)):
        mistakes.append(f"{os.path.relpath(page, root)}: {mistake}")
print("\n".join(mistakes))
if not SETTINGS or len(pages) < 20:
    print(f"{len(SETTINGS)} settings and {len(pages)} pages were found; there are more")
    sys.exit(1)
sys.exit(1 if mistakes else 0)

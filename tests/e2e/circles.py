#!/usr/bin/env python3
"""Circles between source files: of calls, as object files show them, and of headers that include each other.

usage: circles.py SOURCE BUILD TARGET...
Prints each circle with what ties it, and "none" if there is none. SOURCE is the folder of the project and BUILD its
build, in which the objects of DIR/FILE.c are DIR/CMakeFiles/TARGET.dir/FILE.c.o. An object counts for the targets that
are named, as long as its source exists. An arrow runs from the file that uses a function or a variable to the file that
defines it."""
import pathlib
import re
import subprocess
import sys


def find_objects(source, build, targets):
    """The path of each object of the targets, and the source file it is of, by its path in the project."""
    objects, seen = {}, set()
    for path in build.rglob('*.c.o'):
        folder, _, rest = str(path.relative_to(build).with_suffix('')).partition('/CMakeFiles/')
        target, _, file = rest.partition('.dir/')
        if target in targets and (source / folder / file).is_file():
            objects[str(path)] = f'{folder}/{file}'
            seen.add(target)
    for target in targets:
        if target not in seen:
            sys.exit(f'no object of the target {target} is in {build}: build it first')
    return objects


def read_symbols(objects):
    """Who defines each symbol, and who uses it: sets of source files."""
    defined, used = {}, {}
    lines = subprocess.run(['nm', '-A', '-P', '-g', *objects], check=True, capture_output=True, text=True).stdout
    for line in lines.splitlines():
        path, symbol, kind = re.match(r'(.+?): (\S+) (\S)', line).groups()
        # The sanitizers define marks of their own in every object.
        if not symbol.startswith(('__asan_', '__odr_asan', '__ubsan_')):
            (used if kind in 'Uvw' else defined).setdefault(symbol, set()).add(objects[path])
    return defined, used


def find_calls(objects):
    """arrows[from][to] = what `from` uses of `to`."""
    arrows = {file: {} for file in objects.values()}
    defined, used = read_symbols(objects)
    for symbol, files in used.items():
        for user in files:
            for definer in defined.get(symbol, ()):
                if definer != user:
                    arrows[user].setdefault(definer, set()).add(symbol)
    return arrows


def find_includes(source, folders):
    """arrows[from][to] = the line that includes, for headers of the project. Paths begin at its folder or the file's."""
    paths = [path for folder in folders for path in (source / folder).rglob('*.h')]
    files = {path.resolve(): str(path.relative_to(source)) for path in paths}
    arrows = {file: {} for file in files.values()}
    for path, file in files.items():
        for line in path.read_text().splitlines():
            include = re.match(r'\s*#\s*include\s*["<]([^">]+)[">]', line)
            for base in (path.parent, source):
                to = include and files.get((base / include[1]).resolve())
                if to:
                    arrows[file].setdefault(to, set()).add(line.strip())
    return arrows


def find_circles(arrows):
    """Strongly connected components of several files, or of one with an arrow to itself (Tarjan, 1972)."""
    order, low, stack, circles = {}, {}, [], []

    def visit(file):
        order[file] = low[file] = len(order)
        stack.append(file)
        for to in arrows[file]:
            if to not in order:
                visit(to)
                low[file] = min(low[file], low[to])
            elif to in stack:
                low[file] = min(low[file], order[to])
        if low[file] == order[file]:
            component = stack[stack.index(file):]
            del stack[-len(component):]
            if len(component) > 1 or file in arrows[file]:
                circles.append(sorted(component))

    sys.setrecursionlimit(10000)
    for file in sorted(arrows):
        if file not in order:
            visit(file)
    return circles


def show(kind, arrows):
    circles = find_circles(arrows)
    for circle in circles:
        print(f'circle of {kind}:')
        for file in circle:
            for to in circle:
                if to in arrows[file]:
                    print(f'  {file} -> {to}: {", ".join(sorted(arrows[file][to]))}')
    return len(circles)


def main():
    source, build, *targets = sys.argv[1:]
    source, build = pathlib.Path(source), pathlib.Path(build)
    objects = find_objects(source, build, targets)
    folders = {file.split('/')[0] for file in objects.values()}
    count = show('calls', find_calls(objects)) + show('includes', find_includes(source, sorted(folders)))
    if count == 0:
        print('none')


main()

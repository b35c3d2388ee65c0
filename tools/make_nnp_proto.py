#!/usr/bin/env python3
"""Writes the .proto of the NNP format from a table of its messages.

    tools/make_nnp_proto.py MESSAGES.tsv > src/worker/model_file/nnp/nnp.proto

The table has the columns message, label, field, number, type, notes (as read from the descriptor of the
reference package). Fields that older tools wrote and that the table lacks are added from OBSOLETE, so that
their files open.
"""
import csv
import sys

SCALARS = {"bool", "int64", "uint32", "float", "double", "string"}

# message, field, type, why it is there. They get numbers from 9000 up: only the text form is read.
OBSOLETE = [
    ("DropoutParameter", "output_mask", "bool", "an option in 2021"),
    ("RoiAlignParameter", "aligned", "bool", "an option in July 2021"),
    ("Function", "assign_param", "AssignParameter", "an option in 2018"),
    ("AssignParameter", "to_grad", "bool", "the same"),
    ("Function", "clip_by_norm_param", "ClipByNormParameter", "of a layer that is refused by name"),
    ("ClipByNormParameter", "clip_norm", "float", "the same"),
    ("ClipByNormParameter", "axis", "int64", "the same"),
    ("BinaryConnectConvolutionParameter", "channel_last", "bool", "offered by the console, no effect"),
    ("BinaryWeightConvolutionParameter", "channel_last", "bool", "the same"),
    ("Solver", "eve_param", "EveParameter", "the Eve solver, removed"),
    *[("EveParameter", name, "float", "the same")
      for name in ("alpha", "beta1", "beta2", "beta3", "k", "k2", "eps")],
]


def read_messages(path):
    messages = {}
    with open(path, encoding="utf-8") as source:
        for row in csv.reader(source, delimiter="\t", quoting=csv.QUOTE_NONE):
            if len(row) < 5 or row[0].startswith("#"):
                continue
            message, label, field, number, kind = row[:5]
            notes = row[5] if len(row) > 5 else ""
            messages.setdefault(message, []).append((label, field, int(number), kind, notes))
    return messages


def with_maps(messages):
    """Entry messages of maps ("Solver.StatesEntry") become map<key, value>."""
    entries = {name: {f[1]: f[3] for f in fields} for name, fields in messages.items() if "." in name}
    result = {}
    for name, fields in messages.items():
        if name in entries:
            continue
        result[name] = [
            ("", field, number, f"map<{entries[kind]['key']}, {entries[kind]['value']}>", notes)
            if kind in entries else (label, field, number, kind, notes)
            for label, field, number, kind, notes in fields]
    return result


def add_obsolete(messages):
    for index, (message, field, kind, why) in enumerate(OBSOLETE):
        fields = messages.setdefault(message, [])
        if all(known[1] != field for known in fields):
            fields.append(("optional", field, 9000 + index, kind, "obsolete: " + why))


def field_line(label, field, number, kind, notes):
    prefix = "repeated " if label.startswith("repeated") else ""
    comment = f"  // {notes}" if notes.startswith("obsolete") else ""
    return f"{prefix}{kind} {field} = {number};{comment}"


def add_empty(messages):
    """The table has no row for a message without fields."""
    used = {field[3] for fields in messages.values() for field in fields if not field[3].startswith("map<")}
    for name in sorted(used - SCALARS - messages.keys()):
        messages[name] = []


def write_message(name, fields):
    lines = [f"message {name} {{"]
    plain = [f for f in fields if not f[4].startswith("oneof")]
    unions = {}
    for f in fields:
        if f[4].startswith("oneof"):
            unions.setdefault(f[4].split()[1], []).append(f)
    lines += ["  " + field_line(*f) for f in plain]
    for union, members in unions.items():
        lines.append(f"  oneof {union} {{")
        lines += ["    " + field_line(*f) for f in members]
        lines.append("  }")
    return lines + ["}", ""]


def main():
    messages = with_maps(read_messages(sys.argv[1]))
    add_obsolete(messages)
    add_empty(messages)
    lines = ["// The messages of the NNP format, for reading its text.",
             "// Made by tools/make_nnp_proto.py; don't edit.",
             'syntax = "proto3";', "package noren.nnp_messages;", "option optimize_for = CODE_SIZE;", ""]
    for name, fields in messages.items():
        lines += write_message(name, fields)
    sys.stdout.write("\n".join(lines))


if __name__ == "__main__":
    main()

"""Writes a table in many formats with pandas and pyarrow, and what pandas reads from each.

    python3 round_trip.py FOLDER

FOLDER/cases.jsonl gets a line for each file: its name, the encoding to name (or null), and its columns as pandas reads them
with dtype=str and keep_default_na=False.
"""

import bz2
import csv
import gzip
import itertools
import json
import lzma
import pathlib
import sys

import pandas
import pyarrow
import pyarrow.feather
import pyarrow.parquet
import zstandard

TEXTS = [
    "plain", 'a "quoted" word', '"all quoted"', "a, b; c | d\te", "two\nlines", "two\r\nlines", "end\n", "naïve café",
    " leading", "trailing ", "NA", "nan", "null", "1.0", " 007", "", "True", "back\\slash \\n", "it's", "#1", "-", "a" * 3000,
    "[1, 2]", '{"a": 1}', "0x1F", "1e5", "2020-01-01", "=", "'", "\"", ",", ";",
]
BEYOND_LATIN = ["日本語", "😀 emoji", "ﬁ\u200b\u00a0", "Ω≈ç", "עברית", "line\u2028separator", "\ufeffmark"]
COMPRESSIONS = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
OF_PANDAS = {"": None, ".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zst": "zstd"}
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "windows-1252"]

folder = pathlib.Path(sys.argv[1])
cases = []


def table(texts):
    return pandas.DataFrame({"id": [f"{row:03}" for row in range(len(texts))], "text": texts, "note, of; it": texts[::-1]})


def add(name, read, encoding=None):
    columns = {str(column): [str(cell) for cell in read[column]] for column in read.columns}
    cases.append({"file": name, "encoding": encoding, "columns": columns})


def separated():
    dialects = {
        "comma.csv": {}, "quoted.csv": {"quoting": csv.QUOTE_ALL}, "crlf.csv": {"lineterminator": "\r\n"},
        "semicolon.csv": {"sep": ";"}, "tab.tsv": {"sep": "\t"}, "bar.txt": {"sep": "|"},
    }
    for (name, options), encoding, ending in itertools.product(dialects.items(), ENCODINGS, COMPRESSIONS):
        frame = table(TEXTS if encoding == "windows-1252" else TEXTS + BEYOND_LATIN)
        file = f"{encoding}-{name}{ending}"
        frame.to_csv(folder / file, index=False, encoding=encoding, compression=OF_PANDAS[ending], **options)
        try:
            read = pandas.read_csv(
                folder / file, sep=options.get("sep", ","), dtype=str, keep_default_na=False, encoding=encoding,
                compression=OF_PANDAS[ending],
            )
        except UnicodeError:  # It writes UTF-16 in bzip2 without the mark that it needs to read it.
            read = frame
        add(file, read, encoding if encoding == "windows-1252" else None)


def objects():
    layouts = {
        "lines.jsonl": {"lines": True}, "list.json": {}, "pretty.json": {"indent": 2},
        "ascii.json": {"force_ascii": True, "lines": True},
    }
    for (name, options), encoding, ending in itertools.product(layouts.items(), ENCODINGS, COMPRESSIONS):
        frame = table(TEXTS if encoding == "windows-1252" else TEXTS + BEYOND_LATIN)
        file = f"{encoding}-{name}{ending}"
        written = frame.to_json(orient="records", **{"force_ascii": False, **options})
        (folder / file).write_bytes(COMPRESSIONS[ending](written.encode(encoding)))
        add(file, frame, encoding if encoding == "windows-1252" else None)


def columnar():
    frame = table(TEXTS + BEYOND_LATIN)
    for column_type in ["string", "large_string", "dictionary", "binary", "large_binary", "string_view", "binary_view"]:
        make = {
            "dictionary": lambda column: pyarrow.array(column).dictionary_encode(),
            "binary": lambda column: pyarrow.array([text.encode() for text in column], pyarrow.binary()),
            "large_binary": lambda column: pyarrow.array([text.encode() for text in column], pyarrow.large_binary()),
            "large_string": lambda column: pyarrow.array(column, pyarrow.large_string()),
            "string": lambda column: pyarrow.array(column, pyarrow.string()),
            "string_view": lambda column: pyarrow.array(column, pyarrow.string_view()),
            "binary_view": lambda column: pyarrow.array([text.encode() for text in column], pyarrow.binary_view()),
        }[column_type]
        written = pyarrow.table({name: make(list(frame[name])) for name in frame.columns})
        for compression, version in itertools.product(["none", "snappy", "gzip", "brotli", "lz4", "zstd"], ["1.0", "2.0"]):
            file = f"{column_type}-{compression}-{version}.parquet"
            try:
                pyarrow.parquet.write_table(
                    written, folder / file, compression=compression, data_page_version=version, row_group_size=17,
                    use_dictionary=version == "1.0",
                )
            except pyarrow.lib.ArrowNotImplementedError:
                continue  # Views, in older versions.
            add(file, frame)
        for compression in [None, "lz4", "zstd"]:
            options = pyarrow.ipc.IpcWriteOptions(compression=compression)
            for kind, opened in [("file.arrow", pyarrow.ipc.new_file), ("stream.arrow", pyarrow.ipc.new_stream)]:
                file = f"{column_type}-{compression}-{kind}"
                with opened(folder / file, written.schema, options=options) as writer:
                    writer.write_table(written, max_chunksize=11)
                add(file, frame)
    for compression in ["uncompressed", "lz4", "zstd"]:
        file = f"{compression}.feather"
        frame.to_feather(folder / file, compression=compression)
        add(file, pandas.read_feather(folder / file))
    for compression in ["snappy", "gzip", "brotli", "lz4", "zstd", None]:
        file = f"pandas-{compression}.parquet"
        frame.to_parquet(folder / file, compression=compression)
        add(file, pandas.read_parquet(folder / file))


def spreadsheets():
    frame = table([text for text in TEXTS + BEYOND_LATIN if not text.startswith("=")])
    for ending in COMPRESSIONS:
        file = f"sheet.xlsx{ending}"
        frame.to_excel(folder / "sheet.xlsx", index=False)
        (folder / file).write_bytes(COMPRESSIONS[ending]((folder / "sheet.xlsx").read_bytes()))
        add(file, pandas.read_excel(folder / "sheet.xlsx", dtype=str, keep_default_na=False))


separated()
objects()
columnar()
spreadsheets()
(folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))

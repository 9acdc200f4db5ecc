"""Writes small.xlsx: a table in the layout of Chapman's Diagnostics.xlsx, as openpyxl stores it.

    pip install openpyxl
    python make_xlsx.py

The file holds the time it was made, so that its bytes differ each time; the tests read its cells only.
"""

from pathlib import Path

from openpyxl import Workbook

book = Workbook()
sheet = book.active
sheet.append(["FileName", "Rhythm", "Beat", "PatientAge", "Gender", "VentricularRate"])
rhythms = ["SB", "SR", "AFIB", "ST", "SVT", "AF", "SA", "AT", "AVNRT", "AVRT", "SAAWR", "VT"]
for i, rhythm in enumerate(rhythms):
    sheet.append([f"MUSE_{i:02}", rhythm, "NONE" if i % 2 else "TWC, ST & T", 20 + i, "FEMALE", 60 + i])
book.create_sheet("Notes").append(["nothing", "here"])
book.save(Path(__file__).with_name("small.xlsx"))

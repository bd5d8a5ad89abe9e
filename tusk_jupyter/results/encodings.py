"""PostgreSQL's names of client encodings as Python's; pure.

Nearly every session says ``UTF8``. The others occur after ``SET client_encoding`` and with old servers; ``SQL_ASCII``
promises nothing about the bytes, so UTF-8 is tried and what is none stays ``bytes``.
"""

from __future__ import annotations

from typing import Final

UTF8: Final = "utf-8"

# https://www.postgresql.org/docs/current/multibyte.html#CHARSET-TABLE; Python has no EUC_TW and no MULE_INTERNAL
_CODECS: Final = {
    "UTF8": UTF8,
    "SQL_ASCII": UTF8,
    "BIG5": "cp950",
    "EUC_CN": "gb2312",
    "EUC_JP": "euc_jp",
    "EUC_JIS_2004": "euc_jis_2004",
    "EUC_KR": "euc_kr",
    "GB18030": "gb18030",
    "GBK": "gbk",
    "JOHAB": "johab",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
    "SHIFT_JIS_2004": "shift_jis_2004",
    "SJIS": "cp932",
    "UHC": "cp949",
    "LATIN5": "iso8859-9",
    "LATIN6": "iso8859-10",
    "LATIN7": "iso8859-13",
    "LATIN8": "iso8859-14",
    "LATIN9": "iso8859-15",
    "LATIN10": "iso8859-16",
    **{f"LATIN{n}": f"iso8859-{n}" for n in range(1, 5)},
    **{f"ISO_8859_{n}": f"iso8859-{n}" for n in range(5, 9)},
    **{f"WIN{n}": f"cp{n}" for n in (866, 874, *range(1250, 1259))},
}


def codec(encoding: str) -> str:
    """Return the codec for a ``client_encoding``; of one Python does not know, only ASCII can be read."""
    return _CODECS.get(encoding.upper(), "ascii")

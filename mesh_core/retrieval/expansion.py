"""Words that a question implies: the lines of a statement behind a ratio, and the long form of what people abbreviate.

A general vocabulary of accounting, one entry a concept. It adds words to a question and never takes any away.
"""

from __future__ import annotations

import re

__all__ = ["expanded", "implied", "is_term"]

_STATEMENTS = {
    "balance": "consolidated balance sheets total assets liabilities equity",
    "income": "consolidated statements of income operations earnings",
    "cash": "consolidated statements of cash flows operating investing financing activities",
}
_TERMS: tuple[tuple[str, str], ...] = (
    # statements
    ("balance sheet|statement of financial position", _STATEMENTS["balance"]),
    ("income statement|statement of income|statement of operations|p&l", _STATEMENTS["income"]),
    ("cash flow statement|statement of cash flows", _STATEMENTS["cash"]),
    ("operating activities|investing activities|financing activities", "net cash provided by used in activities cash flows"),
    # lines of statements
    (
        "total assets|total liabilities|shareholders equity|stockholders equity|inventory|inventories|accounts receivable"
        "|accounts payable|cash and cash equivalents",
        "consolidated balance sheets",
    ),
    (
        "net income|net loss|net earnings|operating income|operating expense|interest expense",
        "consolidated statements of income operations",
    ),
    (
        "operating cash flow|cash from operations|cash flow from operations|depreciation|amortization",
        "net cash provided by used in operating activities consolidated statements of cash flows",
    ),
    ("revenue|top line|topline|sales|turnover", "net sales total revenues"),
    ("bottom line|profit|earnings", "net income net earnings"),
    ("cogs|cost of goods sold|cost of revenue", "cost of sales cost of goods sold cost of revenue"),
    ("eps", "earnings per share diluted"),
    ("sg&a|sga", "selling general and administrative expenses"),
    ("r&d", "research and development expenses"),
    ("d&a", "depreciation and amortization"),
    (
        "capital expenditure|capex",
        "purchases of property plant and equipment additions capital expenditures cash flows investing",
    ),
    ("ppe|pp&e|ppne|fixed assets", "property plant and equipment net balance sheet"),
    ("debt|borrowings|indebtedness", "long-term debt current portion short-term borrowings notes payable balance sheet"),
    ("ebit|ebitda|ebitdar", "earnings before interest taxes depreciation amortization reconciliation operating income"),
    ("dividend|payout", "cash dividends declared per share paid"),
    ("buyback|repurchase|stock repurchase|share repurchase", "repurchase of common stock treasury shares repurchase program"),
    ("effective tax rate|tax rate", "provision for income taxes income before income taxes statements of income"),
    ("goodwill|intangible", "goodwill and intangible assets net balance sheet"),
    ("deferred revenue", "unearned revenue contract liabilities"),
    ("headcount|employees|workforce", "number of employees human capital"),
    ("m&a|acquisition|acquired|takeover", "acquisitions business combinations divestitures purchase price"),
    ("spin off|spinoff|spinning off|carve out|discontinued operation", "separation divestiture disposal discontinued operations"),
    ("lawsuit|litigation|legal", "legal proceedings contingencies litigation"),
    ("guidance|outlook|forecast", "outlook guidance full-year expects"),
    ("segment|business line|division", "business segment results net sales by segment"),
    ("region|geography|geographic|country", "geographic area United States international revenues by region"),
    # ratios
    ("gross margin|gross profit", "gross profit cost of sales net sales revenue statements of income"),
    ("operating margin|operating profit", "operating income net sales revenue statements of income"),
    ("net margin|profit margin", "net income revenue net sales statements of income"),
    (
        "capital intensive|capital intensity",
        "property plant and equipment total assets capital expenditures balance sheet cash flows",
    ),
    (
        "quick ratio|acid test",
        "current assets current liabilities cash inventories receivables marketable securities balance sheet",
    ),
    ("current ratio|working capital|liquidity", "total current assets total current liabilities balance sheet"),
    (
        "free cash flow|cash conversion|fcf",
        "net cash provided by operating activities purchases of property capital expenditures cash flows",
    ),
    ("days payable|dpo", "accounts payable cost of sales inventories balance sheet statements of income"),
    (
        "days sales outstanding|dso|receivables turnover",
        "accounts receivable net sales revenue balance sheet statements of income",
    ),
    ("days inventory|dio|inventory turnover", "inventories cost of sales balance sheet statements of income"),
    ("cash conversion cycle", "accounts payable accounts receivable inventories cost of sales"),
    ("asset turnover", "net sales revenue total assets property plant and equipment"),
    ("return on assets|roa", "net income total assets balance sheet statements of income"),
    ("return on equity|roe", "net income total stockholders shareholders equity"),
    ("interest coverage", "interest expense operating income earnings before interest statements of income"),
    ("debt to equity|leverage|gearing", "total debt long-term debt stockholders shareholders equity balance sheet"),
    ("retention ratio", "dividends net income retained earnings statements of income cash flows"),
)
_PATTERNS = tuple(
    (re.compile(rf"(?<![\w&])(?:{terms.replace(' ', '[ -]?')})(?:s|es)?(?![\w&])", re.IGNORECASE), added)
    for terms, added in _TERMS
)
_VOCABULARY = frozenset(re.findall(r"[a-z]+", " ".join(f"{terms} {added}" for terms, added in _TERMS).lower()))


def implied(question: str) -> list[str]:
    """The words of every concept that the question names, a text a concept."""
    plain = question.replace("cashflow", "cash flow")
    return [added for pattern, added in _PATTERNS if pattern.search(plain)]


def expanded(question: str) -> str:
    """The question, followed by the words of every concept that it names; itself if it names none."""
    words = implied(question)
    return " ".join([question, *dict.fromkeys(" ".join(words).split())]) if words else question


def is_term(word: str) -> bool:
    """Whether a word is one of accounting: it stands in this vocabulary or implies what does."""
    return word in _VOCABULARY or bool(implied(word))

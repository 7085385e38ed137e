"""How sums of money are written: signs, codes and names of the world's currencies, in either order.

Source: ISO 4217 (codes in use; capitals, as some are words, too) and the English names of its units; the signs of Unicode.
"""

from __future__ import annotations

from mesh_core.answers.number_words import COUNT

__all__ = ["CURRENCY_CODE", "SUM"]

CURRENCY_CODE = (
    r"(?-i:(?<![A-Za-z])(?:AED|AFN|ALL|AMD|AOA|ARS|AUD|AWG|AZN|BAM|BBD|BDT|BGN|BHD|BIF|BMD|BND|BOB|BRL|BSD|BTN|BWP|BYN|BZD|CAD|CDF|CHF|CLP|CNY|"
    r"COP|CRC|CUP|CVE|CZK|DJF|DKK|DOP|DZD|EGP|ERN|ETB|EUR|FJD|FKP|GBP|GEL|GHS|GIP|GMD|GNF|GTQ|GYD|HKD|HNL|HTG|HUF|IDR|ILS|INR|IQD|"
    r"IRR|ISK|JMD|JOD|JPY|KES|KGS|KHR|KMF|KPW|KRW|KWD|KYD|KZT|LAK|LBP|LKR|LRD|LSL|LYD|MAD|MDL|MGA|MKD|MMK|MNT|MOP|MRU|MUR|MVR|MWK|"
    r"MXN|MYR|MZN|NAD|NGN|NIO|NOK|NPR|NZD|OMR|PAB|PEN|PGK|PHP|PKR|PLN|PYG|QAR|RON|RSD|RUB|RWF|SAR|SBD|SCR|SDG|SEK|SGD|SHP|SLE|SOS|"
    r"SRD|SSP|STN|SVC|SYP|SZL|THB|TJS|TMT|TND|TOP|TRY|TTD|TWD|TZS|UAH|UGX|USD|UYU|UZS|VES|VND|VUV|WST|XAF|XCD|XOF|XPF|YER|ZAR|ZMW|"
    r"ZWG)\b)"
)
"""A pattern of the code of a currency."""
_NAME = (
    r"(?<![A-Za-z])(?:afghanis?|ariary|baht|balboas?|birr|bolivianos?|bol[ií]vares|bucks|cedis?|cents?|chf|col[oó]n(?:es)?|c[oó]rdobas?|dalasis?|"
    r"denari?|dinars?|dirhams?|dobras?|dollars?|dong|drams?|escudos?|eur|euros?|forints?|francs?|gbp|gourdes?|guaran[ií]e?s?|guilders?|"
    r"hryvnias?|kinas?|kips?|korun[ay]?|kr|kr[oó]n(?:a|e|er|or|ur)|kwachas?|kwanzas?|kyats?|laris?|leke?|lempiras?|leones?|leu|lei|"
    r"leva?|liras?|loti|maloti|manats?|meticais|metical|naira|nakfas?|ngultrums?|ouguiyas?|pa['’]anga|patacas?|pence|pennies|pesos?|"
    r"pounds?|pulas?|quetzal(?:es)?|rand|rappen|reais|renminbi|rials?|riels?|ringgit|riyals?|rou?bles?|rufiyaas?|rupees?|rupiahs?|"
    r"shekels?|shillings?|soles|somoni|soms?|takas?|tala|tenge|tugriks?|usd|vatu|won|yen|yuan|z[lł]ot(?:ys?|ych|e))\b"
)
SUM = (
    rf"(?:[$¢£¤¥฿₠-⃏%]|{COUNT}[\s-]?(?:(?:thousand|million|billion|bn|k|m) )?(?:{CURRENCY_CODE}|{_NAME})|"
    rf"(?:{CURRENCY_CODE}|{_NAME})\.? ?{COUNT})"
)
"""A pattern of a sum of money or a share in percent, for patterns that ignore case."""

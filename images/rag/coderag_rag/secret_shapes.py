"""What secrets look like: tokens with a known shape, and values given to a name that says what they are.

Every pattern is bounded, so that hostile text costs linear time. Text that stays, like the name in front of a value, is
group 1 or stands in a look-ahead.
"""

import re

# Each has a prefix that nothing else begins with, so neither language nor context matters.
TOKENS = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}(?![0-9A-Za-z])"
    r"|gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255}"
    r"|gl(?:pat|dt|rt|cbt|ptt|ft|imt|oas|soat|agent)-[A-Za-z0-9_-]{20,255}"
    r"|xox[abeoprs]-[A-Za-z0-9-]{10,255}|xapp-\d-[A-Za-z0-9-]{20,255}"
    r"|AIza[0-9A-Za-z_-]{35}|GOCSPX-[A-Za-z0-9_-]{24,40}|ya29\.[0-9A-Za-z_-]{20,512}"
    r"|[rsp]k_(?:live|test)_[0-9A-Za-z]{16,255}|whsec_[A-Za-z0-9+/=]{24,255}"
    r"|sk-(?=[A-Za-z0-9_-]{0,255}\d)(?=[A-Za-z0-9_-]{0,255}[A-Z])[A-Za-z0-9_-]{20,255}"
    r"|hf_[A-Za-z0-9]{30,64}|npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,512}|rubygems_[a-f0-9]{48}"
    r"|do[por]_v1_[a-f0-9]{64}|shp(?:at|ss|ca|pa)_[a-fA-F0-9]{32}|SG\.[\w-]{16,64}\.[\w-]{16,64}"
    r"|SK[0-9a-f]{32}(?![0-9a-f])|key-[0-9a-f]{32}(?![0-9a-f])|sq0(?:atp|csp)-[0-9A-Za-z_-]{22,64}"
    r"|EAACEdEose0cBA[0-9A-Za-z]{10,255}|PMAK-[a-f0-9]{24}-[a-f0-9]{34}|NRAK-[A-Z0-9]{27}|dapi[a-f0-9]{32}"
    r"|lin_api_[A-Za-z0-9]{40}|ATATT3[A-Za-z0-9_=-]{100,255}|AGE-SECRET-KEY-1[0-9A-Z]{58}"
    r"|hv[sb]\.[\w-]{20,255}|tskey-[a-z]{2,12}-[A-Za-z0-9-]{16,128}|pul-[a-f0-9]{40}|sntry[su]_[A-Za-z0-9+/=_-]{40,255}"
    r"|glsa_[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}|glc_eyJ[A-Za-z0-9+/=]{40,400}|dt0[a-z]01\.[A-Z0-9]{24}\.[A-Z0-9]{64}"
    r"|xkeysib-[a-f0-9]{64}-[A-Za-z0-9]{16}|r8_[A-Za-z0-9]{37}|nvapi-[\w-]{60,128}|gsk_[A-Za-z0-9]{40,64}"
    r"|xai-[A-Za-z0-9]{70,128}|pplx-[A-Za-z0-9]{40,64}|ntn_[A-Za-z0-9]{40,64}|fig[duo]_[A-Za-z0-9_-]{40,64}"
    r"|dckr_pat_[\w-]{24,64}|ops_eyJ[A-Za-z0-9+/=]{100,2000}|FlyV1 fm\d_[A-Za-z0-9+/=,_]{60,2000}"
    r"|\d{8,10}:AA[\w-]{33}(?![\w-])|[MNO][A-Za-z\d_-]{23,25}\.[\w-]{6}\.[\w-]{27,40}"
    r"|[\w~.-]{3}\dQ~[\w~.-]{31,34}"
    r"|eyJ[A-Za-z0-9_-]{8,2000}\.eyJ[A-Za-z0-9_-]{8,4000}\.[A-Za-z0-9_-]{8,2000}"
    r"|\$(?:2[abxy]|5|6|y|apr1|argon2(?:id|i|d))\$[A-Za-z0-9./+=,$]{20,255}"
    r")",
    re.A,
)
_HOOKS = re.compile(
    r"(\b(?:hooks\.slack\.com/(?:services|workflows)|discord(?:app)?\.com/api/webhooks|\w{1,64}\.webhook\.office\.com"
    r"/webhookb2)/)[A-Za-z0-9/_@-]{20,400}"
)
_URL_PASSWORD = re.compile(r"(://[^\s/:@\"'<>{}$\[\]]{0,64}:)[^\s/@\"'<>{}$\[\]]{3,256}(?=@)")
_AZURE = re.compile(r"((?:AccountKey|SharedAccessKey|SharedAccessSignature|[?&;]sig)=)[A-Za-z0-9+/=%]{30,256}")
_HEADER = re.compile(
    r"(?i)(\b(?:authorization|proxy-authorization|x-api-key|private-token)[\"']?[ \t]{0,4}[:=,][ \t]{0,4}[\"']?"
    r"(?:bearer|basic|token|apikey)?[ \t]{0,4})(?=[A-Za-z0-9._~+/=-]{0,40}\d)[A-Za-z0-9._~+/=-]{16,2000}"
)
_BASIC_USER = re.compile(r"(\bcurl\b[^\n]{0,200}?[ \t](?:-u|--user)[ \t=]{1,4}[\"']?[\w.@-]{1,64}:)[^\s\"'${<]{4,256}")
_NETRC = re.compile(r"(\bmachine[ \t]+\S{1,255}\s+login[ \t]+\S{1,255}\s+password[ \t]+)\S{4,256}")
_AUTH = re.compile(
    r"((?:_auth(?:Token)?[ \t]{0,4}=[ \t]{0,4}|\"auth\"[ \t]{0,4}:[ \t]{0,4}\"))[A-Za-z0-9+/=_-]{16,512}"
)
KNOWN = (_HOOKS, _URL_PASSWORD, _AZURE, _HEADER, _BASIC_USER, _NETRC, _AUTH)

_KEYS = (
    r"(?:secret|token|api[_-]?key|(?:access|private|account|shared|auth|encryption|signing|client|master|license)[_-]?key"
    r"|credential)s?"
)
_PASSWORDS = r"(?:password|passwd|passphrase|pwd|비밀번호)"
_GIVES = r"[\w.-]{0,40}\\?[\"']?\]?[ \t]{0,8}(?::=|=>|[=!]==?|[:=])[ \t]{0,8}"
_OPEN = r"(\\?[\"'`])"
# Words that stand where a password would and are none.
_WORDS = r"(?!(?:password|passwort|passwd|required|string|invalid|missing|incorrect|changeme|undefined|username)\b)"
_QUOTED_PASSWORD = re.compile(rf"(?i)({_PASSWORDS}{_GIVES}{_OPEN}){_WORDS}[^\"'`\s${{}}<>%\\]{{6,256}}(?=\2)")
_QUOTED_KEY = re.compile(rf"(?i)({_KEYS}{_GIVES}{_OPEN})(?=[^\"'`\s]{{0,256}}\d)[^\"'`\s${{}}<>%\\]{{12,256}}(?=\2)")
_ELEMENT = re.compile(
    rf"(?i)(<[\w.:-]{{0,40}}(?:{_KEYS}|{_PASSWORDS})[\w.:-]{{0,40}}>)(?=[^<\n]{{0,256}}\d)[^<\s${{}}]{{6,256}}(?=</)"
)
_OPTION = re.compile(
    rf"(?i)(?<![\w-])(--?[\w-]{{0,30}}(?:{_KEYS}|{_PASSWORDS})(?:=|[ \t]{{1,4}})[\"']?)"
    r"(?=[^\s\"']{0,256}\d)[^\s\"'`${}<>%()-][^\s\"'`${}<>%()]{7,256}"
)
NAMED = (_QUOTED_PASSWORD, _QUOTED_KEY, _ELEMENT, _OPTION)

# Files where a value needs no quotes; in program text an unquoted right-hand side is a name, not a secret.
UNQUOTED_LANGUAGES = frozenset({"yaml", "toml", "bash", "text", "dockerfile", "makefile", "markdown"})
BARE = re.compile(
    rf"(?im)^([ \t]{{0,40}}(?:-[ \t]|(?:export|set|env|arg)[ \t]+)?[\w.-]{{0,40}}(?:{_KEYS}|{_PASSWORDS})[\w.-]{{0,40}}"
    r"[ \t]{0,8}[:=][ \t]{0,8})(?=[^\s]{0,256}\d)(?=[^\s]{0,256}[a-z])[\w+/=!@%^*~.#&?-]{8,256}(?=[ \t\r]*$)"
)

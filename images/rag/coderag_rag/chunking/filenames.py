"""Which language a file is in, by its name or its first line.

The letters that also end names in program text, like the m of `object.m`, are left out: a search takes what ends like
a file for the name of one.
"""

from pathlib import PurePosixPath

TEXT = "text"
MARKDOWN = "markdown"
NOTEBOOK = "jupyter"
CSV, TSV = "csv", "tsv"
TABLES = frozenset({CSV, TSV})
PROSE = frozenset({TEXT, MARKDOWN})

_EXTENSIONS = {
    "python": "py pyi pyw",
    "javascript": "js mjs cjs jsx",
    "typescript": "ts mts cts",
    "tsx": "tsx",
    "go": "go",
    "java": "java",
    "rust": "rs",
    "c": "c h",
    "cpp": "cc cpp cxx hh hpp hxx cu cuh ino",
    "csharp": "cs",
    "ruby": "rb rake gemspec",
    "php": "php",
    "kotlin": "kt kts",
    "scala": "scala sc",
    "bash": "sh bash zsh bats",
    "hcl": "tf tfvars hcl",
    "json": "json jsonc json5 webmanifest",
    "yaml": "yaml yml",
    "toml": "toml",
    "html": "html htm xhtml vue svelte",
    "css": "css",
    MARKDOWN: "md markdown mdx rmd qmd",
    NOTEBOOK: "ipynb",
    CSV: "csv",
    TSV: "tsv",
}

# Known by name only: chunked by lines, but filtered and described as what they are.
_WITHOUT_GRAMMAR = {
    "ada": ("Ada", "adb ads"),
    "asm": ("Assembly", "asm"),
    "clojure": ("Clojure", "clj cljs cljc edn"),
    "cmake": ("CMake", "cmake"),
    "dart": ("Dart", "dart"),
    "dockerfile": ("Dockerfile", "dockerfile containerfile"),
    "elixir": ("Elixir", "ex exs"),
    "erlang": ("Erlang", "erl hrl"),
    "fortran": ("Fortran", "f90 f95 f03"),
    "fsharp": ("F#", "fsi fsx"),
    "graphql": ("GraphQL", "graphql gql"),
    "groovy": ("Groovy", "groovy gradle"),
    "haskell": ("Haskell", "hs"),
    "julia": ("Julia", "jl"),
    "lua": ("Lua", "lua"),
    "makefile": ("Makefile", "mk"),
    "nix": ("Nix", "nix"),
    "objc": ("Objective-C", "mm"),
    "ocaml": ("OCaml", "ml mli"),
    "pascal": ("Pascal", "pas dpr"),
    "perl": ("Perl", "pl pm"),
    "powershell": ("PowerShell", "ps1 psm1 psd1"),
    "protobuf": ("Protocol Buffers", "proto"),
    "scss": ("SCSS", "scss sass less"),
    "solidity": ("Solidity", "sol"),
    "sql": ("SQL", "sql ddl"),
    "swift": ("Swift", "swift"),
    "verilog": ("Verilog", "sv svh"),
    "vhdl": ("VHDL", "vhd vhdl"),
    "xml": ("XML", "xml xsd xsl xslt wsdl csproj"),
    "zig": ("Zig", "zig"),
}
_LABELS = {NOTEBOOK: "Jupyter notebook", CSV: "CSV", TSV: "TSV", TEXT: "Text", MARKDOWN: "Markdown"}
_LABELS |= {name: label for name, (label, _) in _WITHOUT_GRAMMAR.items()}
_EXTENSIONS |= {name: listed for name, (_, listed) in _WITHOUT_GRAMMAR.items()}
_BY_EXTENSION = {extension: name for name, listed in _EXTENSIONS.items() for extension in listed.split()}
_NAMES = {
    "ruby": "Rakefile Gemfile Vagrantfile",
    "toml": "Pipfile",
    "bash": ".bashrc .bash_profile .profile .zshrc",
    "makefile": "Makefile makefile GNUmakefile",
    "dockerfile": "Dockerfile Containerfile",
    "cmake": "CMakeLists.txt",
    "groovy": "Jenkinsfile",
}
_BY_NAME = {file: name for name, listed in _NAMES.items() for file in listed.split()}
_INTERPRETERS = {"python": "python", "bash": "bash", "sh": "bash", "zsh": "bash", "node": "javascript", "ruby": "ruby"}


def language_of(path: str) -> str:
    """Return the language of a path, or `text` when its name says nothing."""
    name = PurePosixPath(path).name
    _, dot, extension = name.rpartition(".")
    return _BY_NAME.get(name) or (_BY_EXTENSION.get(extension.lower(), TEXT) if dot else TEXT)


def language_of_script(first_line: str) -> str:
    """Return the language that a `#!` line names, or `text`."""
    if not first_line.startswith("#!"):
        return TEXT
    program = first_line[2:].replace("/env -S ", "/env ").replace("/env ", "/").split()[:1]
    name = PurePosixPath(program[0]).name.rstrip("0123456789.") if program else ""
    return _INTERPRETERS.get(name, TEXT)


def label_without_grammar(language: str) -> str:
    """Return how people write the name of a language that has no grammar here."""
    return _LABELS[language]


def lacks_grammar(language: str) -> bool:
    """Whether a language is a program or data format that only lines can split."""
    return language in _WITHOUT_GRAMMAR

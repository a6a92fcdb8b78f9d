"""Texts made of pieces that are, or nearly are, what masking looks for."""

from __future__ import annotations

from hypothesis import strategies as st

WHOLE = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
FRAGMENTS = st.lists(
    st.sampled_from(
        [
            *(
                "password",
                "PASS",
                "pwd",
                "secret",
                "\u017fecret",
                "to\u212aen",
                "bearer",
                "ba\u017fic",
            ),
            *("basic", "eyJ", "sk", "sk-", "rk_", "ghp_", "github_pat_", "glpat-", "pypi-", "npm_"),
            *(
                "hf_",
                "ya29.",
                "AKIA",
                "asia",
                "xoxb-",
                "xapp-",
                "AIza",
                "-----BEGIN ",
                "PRIVATE KEY",
            ),
            *("-----", "://", "a:b@", "api", "key", "session", "id", "pin", "otp", "cvv", "auth"),
            *(
                "cookie",
                "=",
                ":",
                " ",
                "\t",
                "\n",
                "-",
                "_",
                ".",
                '"',
                "\\",
                "A" * 20,
                "x",
                "\u0130",
            ),
            *(
                "jwt",
                "signature",
                "credential",
                "access",
                "account",
                "Pin",
                "{",
                "[",
                "}",
                "]",
                ",",
            ),
        ]
    )
    | WHOLE,
    max_size=8,
).map("".join)

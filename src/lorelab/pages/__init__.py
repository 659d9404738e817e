"""Pictures and pages that need nothing but a browser: plain values in, one self-contained string out."""

def emit(blob, templates, sources): return {n: b'x' for n in ("vdso.so","vdso.h","vdso.rs","vdso.S","vdso.json")}

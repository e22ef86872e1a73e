"""Small visitors that calculate may come in, catalogues may go out; ``python policy.py`` explains it."""

from pathlib import Path

from emporion.validators.code import all_of, any_of, downloads, imports, max_size, names, uploads

code_validator = any_of(
    uploads(all_of(names("visitor_*"), max_size(500), imports("math", "statistics"))),
    downloads(names("catalogue")),
)

if __name__ == "__main__":
    for name in ("visitor_spy", "visitor_counting"):
        source = Path(__file__).with_name("agents").joinpath(f"{name}.py").read_text(encoding="utf-8")
        print(code_validator.explain(name, source, ("192.0.2.1", 4711)))
    print(code_validator.explain("catalogue", None, None))

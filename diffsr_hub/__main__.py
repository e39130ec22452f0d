"""`python -m diffsr_hub` is `diffsr`, also where scripts are not on the path."""

from diffsr_hub.cli import main

if __name__ == "__main__":
    main()

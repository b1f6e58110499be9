"""Windows' own Python on a Linux machine: sets it up, runs the tests and the program in it.

    sudo .venv/bin/python -m tools.windows CACHE setup
    sudo .venv/bin/python -m tools.windows CACHE test [FOLDER...]
    sudo .venv/bin/python -m tools.windows CACHE run ARGUMENTS

Wine executes CPython for Windows with the wheels for Windows and an installation of this checkout
made by pip there. Everything lies in the folder CACHE, outside of the checkout: 4 GB. A set-up that
broke off continues with the step that it had reached, and so do the tests.

It needs root (`debootstrap` and `chroot`), x86-64, the Debian package debootstrap, and access to
Debian's and Python's package indexes.
"""

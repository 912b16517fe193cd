"""The folder below a prefix in which this Python looks for packages: python3 install_dir.py PREFIX"""
import site
import sys

prefix = sys.argv[1].rstrip('/')
found = [p for p in site.getsitepackages() if p.startswith(f'{prefix}/lib')]
print(found[0] if found else f'{prefix}/lib/python3/dist-packages')

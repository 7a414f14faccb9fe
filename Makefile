# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Short names for the sessions of noxfile.py. nox and all that the sessions need go to a cache folder.

ARGS ?=
NOX := sh tests/tools/nox.sh
with_arguments = $(if $(ARGS),-- $(ARGS))

.PHONY: help test quick format nox clean unit integration sanity FORCE
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:
	@echo 'make demo          install the collection and watch it report a deployment'
	@echo 'make test          every check that a change has to pass'
	@echo 'make quick         format, linters, types, and unit tests on the newest ansible-core'
	@echo 'make format        rewrite the Python files in the project format, and generated tables'
	@echo "make SESSION       one session, with arguments: make unit ARGS='-k signature'"
	@echo "make nox           nox with any arguments: make nox ARGS='-s \"matrix(2.19)\" -- unit'"
	@echo 'make clean         remove the cache folder of this checkout'
	@echo
	@$(NOX) --list

test:
	@$(NOX) --parallel 2

quick:
	@QUICK=1 $(NOX) --parallel 2 -s formatters codeqa typing 'unit(newest)'

format:
	@$(NOX) -s formatters -- fix

nox:
	@$(NOX) $(ARGS)

clean:
	@sh tests/tools/nox.sh --clean

# Arguments choose some tests: a quick look, for which the newest ansible-core is enough.
unit integration sanity:
	@$(NOX) -s '$@$(if $(ARGS),(newest))' $(with_arguments)

Makefile: ;

%: FORCE
	@$(NOX) -s $@ $(with_arguments)

FORCE:

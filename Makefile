# Copyright (c) aliops.cloudmonitor contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
#
# "make help" lists what can be done. Everything that a target needs is set up by
# tests/tools/run.sh, outside of this folder.

ARGS ?=
TARGETS := demo test format lint types unit integration sanity docs-lint docs build galaxy matrix coverage mutation bench clean

.PHONY: help $(TARGETS)
.NOTPARALLEL:
.DEFAULT_GOAL := help

help:
	@echo 'make demo         set up, install the collection and watch it report a deployment'
	@echo 'make test         set up and check everything: the targets below, down to build'
	@echo
	@echo 'make format       rewrite the Python files in the one format (make test only checks)'
	@echo 'make lint         format check, ruff, yamllint, ansible-lint, reuse, rules of the project'
	@echo 'make types        mypy --strict'
	@echo "make unit         unit tests, newest and oldest ansible-core; one of them: ARGS='-k signature'"
	@echo "make integration  real playbooks against the bundled receiver; one of them: ARGS='-k role'"
	@echo "make sanity       ansible-test sanity; one of them: ARGS='--test validate-modules'"
	@echo 'make docs-lint    documentation of every plugin and role, changelog fragments'
	@echo 'make docs         build the documentation site, whose place it prints'
	@echo 'make build        build, install from the file and from a git URL, look at what is in it'
	@echo
	@echo 'make galaxy       import the built collection as Galaxy does; a warning is a failure'
	@echo "make matrix       every supported ansible-core and Python; some of it: ARGS='2.19 unit'"
	@echo 'make coverage     what of plugins/ unit and integration tests reach, branch by branch'
	@echo "make mutation     break the code and count what its tests notice; one module: ARGS='_answer'"
	@echo 'make bench        what an event and the callback cost, beside their like (25 minutes)'
	@echo 'make clean        remove what the other targets keep in the cache folder'

$(TARGETS):
	@sh tests/tools/run.sh $@ $(ARGS)

"""Ansible's linear strategy over mitogen's connections, under a path without Python's version in it for ansible.cfg."""

import ansible_mitogen.loaders
import ansible_mitogen.strategy

_Linear = ansible_mitogen.loaders.strategy_loader.get("linear", class_only=True)


class StrategyModule(ansible_mitogen.strategy.StrategyMixin, _Linear):
    """Task by task on all hosts, in Pythons that stay."""

"""What every provider must do, whatever it speaks to. A module of tests gives it a `place` and inherits its tests."""

import hashlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controlplane.errors import KasumiError, RefusedError
from controlplane.model.observed import Mark, ObservedMachine, PowerState
from controlplane.model.plan import Method, PlannedMachine, PlannedNetwork
from controlplane.model.resources import Resources
from tests.providers.place import LATER_PLAN, PLAN, SEED, Place


class MachineContract:
    """Machines: made once, adjusted in place, never confused with somebody else's."""

    @pytest.fixture(autouse=True)
    def cleared(self, place: Place) -> Iterator[None]:
        yield
        place.clear()

    def test_makes_a_stopped_machine_as_planned(self, place: Place) -> None:
        machine = place.machine(autostart=True)
        place.ensure(machine)
        seen = place.seen(machine)
        assert (seen.name, seen.state) == (machine.id, PowerState.STOPPED)
        assert (seen.vcpus, seen.memory_mib) == (1, 64)
        assert (seen.live_vcpus, seen.live_memory_mib, seen.live_nics) == (None, None, None)
        assert seen.autostart
        assert seen.mark is not None
        assert (seen.mark.estate, seen.mark.machine, seen.mark.plan) == (place.estate, machine.id, PLAN)
        assert [(nic.network, nic.mac) for nic in seen.nics] == [(place.networks[0].name, machine.nics[0].mac)]

    def test_again_changes_nothing_and_keeps_the_mark(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        before, disks = place.seen(machine), place.hand.disks()
        place.ensure(machine, plan=LATER_PLAN)
        assert place.seen(machine) == before
        assert place.hand.disks() == disks

    def test_keeps_data_and_notes_of_others_when_it_changes(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        place.hand.add_note(machine.id)
        place.ensure(replace(machine, size=Resources(vcpus=2, memory_mib=96, disk_gib=1)), plan=LATER_PLAN)
        seen = place.seen(machine)
        assert (seen.vcpus, seen.memory_mib) == (2, 96)
        assert seen.mark is not None
        assert seen.mark.plan == LATER_PLAN
        assert place.hand.has_note(machine.id)

    def test_starts_and_stops(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        for _ in range(2):
            place.provider.start(place.ref(machine))
            seen = place.seen(machine)
            assert seen.state is PowerState.RUNNING
            assert (seen.live_vcpus, seen.live_memory_mib) == (1, 64)
            assert seen.live_nics == seen.nics
        for _ in range(2):
            place.provider.stop(place.ref(machine), force_after_seconds=0)
            assert place.seen(machine).state is PowerState.STOPPED

    def test_resumes_what_was_paused(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        place.provider.start(place.ref(machine))
        place.hand.pause(machine.id)
        assert place.seen(machine).state is PowerState.PAUSED
        place.provider.start(place.ref(machine))
        assert place.seen(machine).state is PowerState.RUNNING

    def test_starts_what_was_powered_off(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        place.provider.start(place.ref(machine))
        place.hand.power_off(machine.id)
        assert place.seen(machine).state is PowerState.STOPPED
        place.provider.start(place.ref(machine))
        assert place.seen(machine).state is PowerState.RUNNING

    @pytest.mark.parametrize("running", [False, True])
    def test_sees_and_repairs_sizes_changed_by_hand(self, place: Place, running: bool) -> None:
        machine = place.machine(autostart=True)
        place.ensure(machine)
        if running:
            place.provider.start(place.ref(machine))
        right = place.seen(machine)
        place.hand.set_kept_vcpus(machine.id, 2)
        place.hand.set_kept_memory(machine.id, 80)
        place.hand.set_autostart(machine.id, autostart=False)
        wrong = place.seen(machine)
        assert (wrong.vcpus, wrong.memory_mib, wrong.autostart) == (2, 80, False)
        still = right if place.keeps_apart or not running else wrong
        assert (wrong.live_vcpus, wrong.live_memory_mib) == (still.live_vcpus, still.live_memory_mib)
        place.ensure(machine)
        again = place.seen(machine)
        assert (again.vcpus, again.memory_mib, again.autostart) == (1, 64, True)
        assert (again.nics, again.live_nics, again.state) == (right.nics, right.live_nics, right.state)

    def test_refuses_a_name_that_is_taken(self, place: Place) -> None:
        machine = place.machine()
        stranger = str(uuid.uuid4())
        place.hand.make_foreign(machine.id, stranger, vcpus=1, memory_mib=64)
        for act in self._changes(place, machine):
            with pytest.raises(RefusedError, match=stranger):
                act()
        seen = next(seen for seen in place.provider.observe().machines if seen.name == machine.id)
        assert (seen.uuid, seen.mark) == (stranger, None)

    def test_refuses_our_uuid_without_our_mark(self, place: Place) -> None:
        machine = place.machine()
        place.hand.make_foreign(machine.id, machine.uuid, vcpus=1, memory_mib=64)
        for act in self._changes(place, machine):
            with pytest.raises(RefusedError, match="no mark"):
                act()
        assert place.seen(machine).state is PowerState.STOPPED

    def test_refuses_a_machine_of_another_estate(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        ref = replace(place.ref(machine), estate="another")
        for act in (lambda: place.provider.start(ref), lambda: place.provider.remove(ref)):
            with pytest.raises(RefusedError, match=f"{place.estate}/{machine.id}"):
                act()
        assert place.seen(machine).state is PowerState.STOPPED

    def test_counts_what_foreign_machines_hold(self, place: Place) -> None:
        before = place.provider.observe().capacity
        machine, foreign = place.machine(), place.machine()
        place.ensure(machine)
        place.hand.make_foreign(foreign.id, foreign.uuid, vcpus=2, memory_mib=96)
        after = place.provider.observe().capacity
        assert before is not None
        assert after is not None
        assert after.used_by_foreign - before.used_by_foreign == Resources(vcpus=2, memory_mib=96)

    def test_removes_only_what_is_stopped_and_only_its_disks(self, place: Place) -> None:
        before = place.hand.disks()
        kept, gone = place.machine(), place.machine()
        place.ensure(kept)
        of_kept = place.hand.disks()
        place.ensure(gone)
        place.provider.start(place.ref(gone))
        with pytest.raises(KasumiError, match="wanted stopped before removal, found running"):
            place.provider.remove(place.ref(gone))
        place.provider.stop(place.ref(gone), force_after_seconds=0)
        for _ in range(2):
            place.provider.remove(place.ref(gone))
        assert gone.uuid not in {seen.uuid for seen in place.provider.observe().machines}
        assert place.hand.disks() == of_kept
        assert of_kept > before

    def test_works_again_after_close(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        with_another = place.again()
        assert machine.uuid in {seen.uuid for seen in with_another.observe().machines}
        with_another.close()
        assert machine.uuid in {seen.uuid for seen in with_another.observe().machines}
        with_another.close()

    @staticmethod
    def _changes(place: Place, machine: PlannedMachine) -> list[Callable[[], object]]:
        ref = place.ref(machine)
        names = {network.network: network.name for network in place.networks}
        return [
            lambda: place.provider.ensure_machine(machine, plan=PLAN, network_names=names, image=place.image, seed=None),
            lambda: place.provider.start(ref),
            lambda: place.provider.stop(ref, force_after_seconds=0),
            lambda: place.provider.remove(ref),
            lambda: place.provider.ssh_host_keys(ref),
        ]


class AdoptContract:
    """Machines that stood there before: our mark is all that changes, and they are never made anew nor deleted."""

    @pytest.fixture(autouse=True)
    def cleared(self, place: Place) -> Iterator[None]:
        yield
        place.let_go()
        place.clear()

    @pytest.mark.parametrize("running", [True, False])
    def test_the_mark_is_all_that_changes_and_goes_again(self, place: Place, running: bool) -> None:
        machine, before = self._foreign(place)
        if not running:
            place.hand.power_off("before-us")
            before = place.named("before-us")
        definition, boots = place.hand.without_mark("before-us"), place.hand.boots("before-us")
        place.provider.adopt(machine, native_id=before.given_id, plan=PLAN)
        for _ in range(2):
            seen = place.named("before-us")
            assert seen.mark == Mark(estate=place.estate, machine=machine.id, plan=PLAN, adopted=True)
            assert (seen.uuid, seen.given_id, seen.state) == (machine.uuid, before.given_id, before.state)
            assert (place.hand.without_mark("before-us"), place.hand.boots("before-us")) == (definition, boots)
            place.provider.adopt(machine, native_id=before.given_id, plan=PLAN)
        for _ in range(2):
            place.provider.release(place.adopted_ref(machine, before))
            assert replace(place.named("before-us"), usage=before.usage) == before
        assert (place.hand.without_mark("before-us"), place.hand.boots("before-us")) == (definition, boots)

    def test_an_adopted_machine_is_kept_like_any_other_but_never_made_or_deleted(self, place: Place) -> None:
        machine, before = self._foreign(place)
        ref = place.adopted_ref(machine, before)
        place.provider.adopt(machine, native_id=before.given_id, plan=PLAN)
        place.hand.power_off("before-us")
        place.provider.start(ref)
        assert place.named("before-us").state is PowerState.RUNNING
        grown = replace(machine, size=replace(machine.size, memory_mib=96))
        place.ensure_adopted(grown, before)
        seen = place.named("before-us")
        assert (seen.memory_mib, seen.given_id) == (96, before.given_id)
        assert seen.mark is not None
        assert seen.mark.adopted
        place.provider.stop(ref, force_after_seconds=0)
        with pytest.raises(RefusedError, match="it was adopted, so it and its disks are not ours to delete"):
            place.provider.remove(ref)
        assert place.named("before-us").given_id == before.given_id
        place.provider.release(ref)
        place.hand.remove_foreign("before-us")
        with pytest.raises(RefusedError, match="it was adopted, so it is never made anew"):
            place.ensure_adopted(machine, before)

    def test_refuses_the_machine_of_somebody_else(self, place: Place) -> None:
        machine, before = self._foreign(place)
        place.provider.adopt(machine, native_id=before.given_id, plan=PLAN)
        other = replace(place.machine(), method=Method.ADOPT)
        for act in (
            lambda: place.provider.adopt(other, native_id=before.given_id, plan=PLAN),
            lambda: place.provider.release(place.adopted_ref(other, before)),
        ):
            with pytest.raises(RefusedError, match=f"{place.estate}/{machine.id}"):
                act()
        assert place.named("before-us").uuid == machine.uuid

    def test_says_what_a_plan_could_not_keep(self, place: Place) -> None:
        _, before = self._foreign(place)
        assert place.provider.look_at_foreign(before.given_id).obstacles == ()
        bare = place.machine()
        place.hand.make_foreign(bare.id, bare.uuid, vcpus=1, memory_mib=64)
        found = place.provider.look_at_foreign(place.named(bare.id).given_id)
        assert len(found.obstacles) == 1
        assert "disk" in found.obstacles[0]

    @staticmethod
    def _foreign(place: Place) -> tuple[PlannedMachine, ObservedMachine]:
        """The machine that will stand for it, and a running one with the same card that nobody of us made."""
        machine = replace(place.machine(), method=Method.ADOPT, image="")
        place.hand.make_adoptable(machine, "before-us")
        return machine, place.named("before-us")


class CardContract:
    """Network cards: as planned, in the kept settings and in the running machine."""

    @pytest.fixture(autouse=True)
    def cleared(self, place: Place) -> Iterator[None]:
        yield
        place.clear()

    @pytest.mark.parametrize("running", [False, True])
    def test_sees_and_repairs_a_card_moved_by_hand(self, place: Place, running: bool) -> None:
        machine = place.machine()
        place.ensure(machine)
        if running:
            place.provider.start(place.ref(machine))
        right = place.seen(machine)
        other = place.networks[1].name
        place.hand.move_kept_card(machine.id, machine.nics[0].mac, other)
        wrong = place.seen(machine)
        assert [nic.network for nic in wrong.nics] == [other]
        assert wrong.live_nics == (right.live_nics if place.keeps_apart or not running else wrong.nics)
        place.ensure(machine)
        assert place.seen(machine).nics == right.nics
        assert place.seen(machine).live_nics == right.live_nics

    def test_moves_the_card_of_a_running_machine(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        place.provider.start(place.ref(machine))
        moved = replace(machine, nics=(replace(machine.nics[0], network=place.networks[1].network),))
        place.ensure(moved)
        seen = place.seen(machine)
        assert seen.live_nics == seen.nics
        assert [(nic.network, nic.mac) for nic in seen.nics] == [(place.networks[1].name, machine.nics[0].mac)]

    def test_gives_and_takes_network_cards(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        second = replace(machine.nics[0], network=place.networks[1].network, mac="52:54:00:c0:ff:ee")
        place.ensure(replace(machine, nics=(*machine.nics, second)))
        assert {nic.network for nic in place.seen(machine).nics} == {network.name for network in place.networks[:2]}
        place.ensure(replace(machine, nics=(second,)))
        assert [(nic.network, nic.mac) for nic in place.seen(machine).nics] == [(place.networks[1].name, "52:54:00:c0:ff:ee")]


class NetworkContract:
    """Networks: defined when missing, started, never taken from somebody else."""

    def test_starts_it_again_and_only_once(self, place: Place) -> None:
        wanted = place.networks[0]
        place.hand.stop_network(wanted.name)
        assert not self._seen(place, wanted.name).active
        for _ in range(2):
            place.provider.ensure_network(wanted)
        seen = self._seen(place, wanted.name)
        assert seen.active
        assert seen.autostart
        assert [network.name for network in place.provider.observe().networks].count(wanted.name) == 1

    def test_refuses_one_of_another_shape(self, place: Place) -> None:
        name = f"{place.estate}-x"
        place.hand.make_other_network(name)
        try:
            with pytest.raises(RefusedError, match=f"network {name} .*wanted .*, found .* somebody else's"):
                place.provider.ensure_network(PlannedNetwork(host=place.provider.host, network="x", name=name, bridge=""))
        finally:
            place.hand.remove_network(name)

    @staticmethod
    def _seen(place: Place, name: str):
        return next(network for network in place.provider.observe().networks if network.name == name)


class ImageContract:
    """Images and disks: whole or not at all, and data is never lost."""

    @pytest.fixture(autouse=True)
    def cleared(self, place: Place) -> Iterator[None]:
        yield
        place.clear()

    def test_refuses_content_that_is_not_the_planned(self, place: Place, tmp_path: Path) -> None:
        assert place.image is not None
        other = tmp_path / "other.qcow2"
        other.write_bytes(Path(place.image.file).read_bytes() + b"x")
        before = place.hand.disks()
        digest = hashlib.sha256(b"something else").hexdigest()
        with pytest.raises(KasumiError, match=r"wanted SHA-256 .* after upload"):
            place.provider.ensure_image(replace(place.image, id="other", file=str(other), sha256=digest))
        assert place.hand.disks() == before

    def test_grows_a_disk_and_never_shrinks_it(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        assert (place.hand.disk_size_bytes(machine.id), place.seen(machine).disk_gib) == (2**30, 1)
        place.ensure(replace(machine, size=replace(machine.size, disk_gib=2)))
        assert (place.hand.disk_size_bytes(machine.id), place.seen(machine).disk_gib) == (2 * 2**30, 2)
        place.provider.start(place.ref(machine))
        place.ensure(replace(machine, size=replace(machine.size, disk_gib=3)))
        assert place.hand.disk_size_bytes(machine.id) == 3 * 2**30
        with pytest.raises(RefusedError, match="wanted a disk of 1 GiB, found 3 GiB"):
            place.ensure(machine)
        assert place.seen(machine).disk_gib == 3

    def test_makes_a_half_made_disk_anew(self, place: Place) -> None:
        machine = place.machine()
        place.hand.leave_half_disk(machine.id)
        place.ensure(machine)
        assert place.hand.disk_size_bytes(machine.id) == 2**30
        place.provider.start(place.ref(machine))
        assert place.seen(machine).state is PowerState.RUNNING

    def test_does_an_upload_again_that_was_cut_off(self, place: Place) -> None:
        assert place.image is not None
        image = replace(place.image, id="cut")
        place.provider.ensure_image(image)
        whole = place.hand.disks()
        place.hand.cut_upload(image)
        machine = place.machine(image="cut")
        names = {network.network: network.name for network in place.networks}
        with pytest.raises(KasumiError, match="image cut: not on the host, or not whole"):
            place.provider.ensure_machine(machine, plan=PLAN, network_names=names, image=image, seed=SEED)
        place.provider.ensure_image(image)
        assert place.hand.disks() == whole

    def test_no_keys_before_the_guest_answers(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        assert place.provider.ssh_host_keys(place.ref(machine)) == ()
        place.provider.start(place.ref(machine))
        assert place.provider.ssh_host_keys(place.ref(machine)) == ()


class KeptDiskContract:
    """Hosts where a disk outlives the definition of its machine."""

    @pytest.fixture(autouse=True)
    def cleared(self, place: Place) -> Iterator[None]:
        yield
        place.clear()

    def test_takes_up_its_own_disk_when_only_the_definition_is_gone(self, place: Place) -> None:
        machine = place.machine()
        place.ensure(machine)
        place.hand.grow_disk(machine.id)
        written = place.hand.disk_size_bytes(machine.id)
        place.hand.forget(machine.id)
        place.ensure(machine)
        assert place.hand.disk_size_bytes(machine.id) == written == 2 * 2**30
        assert place.seen(machine).state is PowerState.STOPPED

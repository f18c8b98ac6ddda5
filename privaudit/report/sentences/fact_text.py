"""The sentence of every fact: one template per code of `privaudit.evaluation.facts`.

A template may use the values of its code, and ``{the_positives}``, the name of the images that are compared with the
non-members. The specification after a colon is one of Python's, ``%`` for a percentage, or ``#noun`` for a count with
its noun.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import floor
from string import Formatter
from typing import Any

from privaudit.evaluation.facts import Fact
from privaudit.report.numbers import COMPACT, counted
from privaudit.report.sentences.names import FAMILIES, score_text

TEMPLATES: Mapping[str, str] = {
    # numbers
    "all_scores_equal": "all scores are equal, so they carry no information",
    "sets_separated": "the scores of the two sets do not overlap; the limit is the exact one for {pairs:#pair} of "
    "images",
    "too_few_independent": "needs at least 2 members and 2 non-members that were drawn independently; one set has "
    "{units}",
    "interval_without_width": "the value does not vary among these images, so the interval has no width",
    "rate_at_zero": "a false-positive rate of 0 cannot be measured",
    "rate_not_evaluated": "TPR at {fpr:%} FPR was not evaluated",
    "rate_needs_nonmembers": "n/a: {fpr:%} false positives need at least {needed} non-members; there are {nonmembers}",
    "limit_needs_nonmembers": "no interval: {fpr:%} false positives need at least {needed} independent non-members; "
    "these count as {independent}",
    "few_false_positives": "rough: {fpr:%} false positives are only {expected:.3g} of {nonmembers} non-members",
    "interval_needs_members": "no interval: it needs at least 2 members; there is {members}",
    "no_members": "there are no members",
    "no_nonmembers": "there are no non-members",
    "folds_need_images": "needs at least 2 members and 2 non-members outside each fold; there are {members} and "
    "{nonmembers}",
    "single_member_in_group": "needs at least 2 members of the group; there is 1",
    "no_classifier_fitted": "there are too few images to fit a classifier to some folds and score the others",
    "no_splits_requested": "no splits of the non-members were requested",
    "splits_need_nonmembers": "needs at least {needed} non-members to split (a group counts once); there are "
    "{nonmembers}",
    "splits_cannot_resolve": "{permutations} permutations per split do not resolve a level of {level:g}",
    "fewer_pseudo_suspects": "with {images} of the non-members in the place of suspects, which is half of them",
    "coins_on_one_side": "no p-value: all {canaries} audited canaries came out {side}",
    "too_few_canaries": "needs at least {needed_pilot} canaries in the pilot and {needed_audited} others, since fewer "
    "guesses prove nothing at {confidence:%} confidence even if all are right; there are {pilot} and {audited}",
    "not_measured": "it could not be measured",
    "not_measured_in_both": "it could not be measured in both runs",
    "no_interval_for_metric": "differences of this metric have no interval",
    "runs_not_paired": "not paired",
    # checks
    "set_sizes": "{positives} {the_positives} and {nonmembers} non-members",
    "set_too_small": "at least 2 {the_positives} and 2 non-members are needed; there are {positives} and {nonmembers}",
    "rate_rests_on_few": "TPR at {fpr:%} FPR is rough, since it rests on about {expected:.0f} of the non-members; "
    "{needed} non-members support it well",
    "rate_not_reported": "TPR at {fpr:%} FPR is not reported; {needed} non-members support it well",
    "in_both_sets": "{images:#image} in both sets, left out of both",
    "copies_dropped": "{images:#copy} within a set dropped",
    "look_alike_across": "{positives} {the_positives} look like {nonmembers} of the non-members (near-duplicates)",
    "many_look_alikes_across": "that is {fraction:%} of a set; attacks recognise look-alikes of training images, too, "
    "which hides a leak: take them out of the non-members",
    "look_alike_within": "{images:#image} look like another of the same set",
    "look_alikes_share_folds": "near-duplicates are kept, and those of one image share a fold",
    "file_info_unknown": "not compared: how the images were stored is not known",
    "files_alike": "format, mode, tags and size are alike; {fraction:%} of the files are {format}",
    "file_kinds_differ": "stored differently, {property}: {positives_fraction:%} of the {the_positives} are "
    "{positives}, {nonmembers_fraction:%} of the non-members are {nonmembers}",
    "file_numbers_differ": "stored differently, {property}: median {positives:.6g} for the {the_positives}, "
    "{nonmembers:.6g} for the non-members (AUROC {auroc:.2f})",
    "nothing_to_tell_apart": "pixels, files and captions are the same for all images",
    "blind_not_measured": "not measured",
    "blind_not_told_apart": "no classifier without the model tells {the_positives} and non-members apart (largest "
    "AUROC {auroc:.3f}, intervals up to {upper:.3f})",
    "blind_too_few": "too few images to say whether classifiers without the model tell {the_positives} and non-members "
    "apart (largest AUROC {auroc:.3f})",
    "blind_not_ruled_out": "too few images to rule out that classifiers without the model tell {the_positives} and "
    "non-members apart (largest AUROC {auroc:.3f}; values up to {upper:.3f} are compatible with these images)",
    "blind_told_apart": "{the_positives} and non-members differ in {family}, which alone tell them apart without the "
    "model (AUROC {auroc:.3f}, at least {lower:.3f})",
    "blind_told_apart_by_rank": "{the_positives} and non-members differ in {family}, which alone tell them apart "
    "without the model (AUROC {auroc:.3f}, p = {p:.2g})",
    "attack_exceeds_blind": "with {score}, the AUROC exceeds the largest one without the model by {gain:.3f} "
    "[{lo:.3f}, {hi:.3f}], so such differences do not explain all of this attack's success",
    "no_attack_exceeds_blind": "no attack exceeds the largest AUROC without the model, so attacks may succeed by such "
    "differences and show nothing about the training; take {the_positives} and non-members from one source",
    "drawn_at_random": "the sets were drawn at random, so any such difference is due to chance",
    "none_below_chance": "the interval of no score lies below an AUROC of .5 ({scores:#score} without learning from "
    "labels)",
    "below_chance": "{score} ranks the non-members above the {the_positives}: AUROC {auroc:.3f} [{lo:.3f}, {hi:.3f}], "
    "below .5, as {scores} of {of:#score} do",
    "above_chance": "{score} ranks the {the_positives} above the non-members: AUROC {auroc:.3f} [{lo:.3f}, {hi:.3f}], "
    "as {scores} of {of:#score} do",
    "scores_disagree": "the scores disagree on which set the model fits better, so the sets may differ in more than "
    "membership",
    "direction_unconfirmed": "{score} tells the sets apart, but it learned to from the labels and would do so with the "
    "sets exchanged; no score without learning confirms that the model was trained on the {the_positives}",
    "sets_may_be_exchanged": "so the model fits the second set better than the first: --members and --nonmembers may "
    "be exchanged, or the sets may differ in more than membership",
    "suspects_may_be_exchanged": "so the model fits the non-members better than the suspects: --suspects and "
    "--nonmembers may be exchanged, the non-members may have been trained on, or the sets may differ in more than "
    "membership",
    "draw_may_be_exchanged": "chance hardly explains that, since the sets were drawn at random: the training may have "
    "used the excluded canaries instead of the included ones",
    "direction_may_be_chance": "where nothing leaks, chance alone does this in about one of ten audits; with more "
    "images it would not last",
    "all_files_readable": "every file could be read",
    "files_skipped": "{files:#file} skipped; report.json lists them",
    "images_may_be_turned": "{images} of {total:#image} have an orientation tag and were turned upright; trainers "
    "differ: scan with --orientation upright or --orientation stored, as the training did",
    "transparency_may_differ": "{images} of {total:#image} have transparent pixels; trainers differ: scan with "
    "--transparency drop, white or black, as the training did",
    "crop_may_differ": "{images} of {total:#image} lose more than 10 % of their area to the crop; trainers differ: "
    "scan with --crop center, --crop none or --buckets, as the training did",
    "images_turned": "{images} of {total:#image} have an orientation tag",
    "images_transparent": "{images} of {total:#image} have transparent pixels",
    "images_cropped": "{images} of {total:#image} lose more than 10 % of their area to the crop",
    "images_enlarged": "{images} of {total:#image} were enlarged",
    "images_read_alike": "no image has an orientation tag, transparent pixels, another shape or too few pixels",
    "inversion_not_used": "the decoder was not inverted: geometry and attacks are computed at the encoder's latents",
    "inversion_reached": "{fraction:%} of the images reached a relative residual of {tolerance:g} (median "
    "{median:.2g}, {evaluations:.1f} evaluations per image)",
    "inversion_diverged": "{images:#image} diverged and kept the best iterate",
    "all_scores_finite": "every score is a finite number; a run with any other score would have stopped",
    "latent_scale_usual": "the latents have a root mean square of {rms:.2f}; autoencoders are scaled for 1",
    "latent_scale_unusual": "the latents have a root mean square of {rms:.2f} and not about 1, yet the network "
    "predicts noise best at this scale",
    "latents_vanish": "every latent is zero, so nothing of an image reaches the network; vae.scaling_factor or the "
    "autoencoder is wrong",
    "other_scale_fits": "the network predicts noise better from latents that are {factor:.3g} times as large "
    "({error:.2f} instead of {recorded:.2f} of the error of a linear guess), and their root mean square is {rms:.2f} "
    "and not about 1; vae.scaling_factor is probably wrong",
    "better_than_linear": "at every level that was tried, the error of the predicted noise is at most {ratio:.2f} of "
    "that of a linear guess",
    "worse_than_linear": "the network predicts noise worse than a linear guess ({ratio:.2f} times its error at a log "
    "SNR of {log_snr:.1f}), so prediction_type, scaling_factor or the schedule may be wrong, or the network was not "
    "trained",
    "other_head_fits": "read as {other} and not as {recorded}, the output of the network predicts noise better "
    "({error:.2f} instead of {recorded_error:.2f} of the error of a linear guess); prediction_type is probably wrong",
    "other_time_fits": "at a log SNR of {log_snr:.1f}, told the time of a level whose log SNR differs by "
    "{offset:+.0f}, the network has {factor:.2f} times its error; the noise schedule is probably wrong",
    "prompts_fit": "captions or labels change the error of the predicted noise to {ratio:.3f} of that without them",
    "prompts_worsen": "captions or labels raise the error of the predicted noise to {ratio:.3f} of that without them; "
    "they are not those of the training, or the text encoder is not",
    "rates_consistent": "AUROC >= TPR (1 - FPR) for each of {scores:#score}, the blind baseline's included",
    "rate_contradicts_auroc": "no ROC curve can have both the AUROC and the rate of {score}; please report this defect",
    "draw_sealed": "{canaries} drawn {created}; coins and files agree with the seal {seal}",
    "seal_to_compare": "compare the seal with the one that was published before training",
    "draw_from_seed": "drawn from a seed, so anyone who knew it knew every coin",
    "suspects_already_known": "{images:#suspect} also among the members or non-members, and left out",
    "adapter_left_out": "{file} in the folder was not merged, so the finding says nothing about the model with it",
    "average_left_out": "{file} lies next to {audited} and was not audited",
    "component_left_out": "{file} was not audited: {audited} was read in its place",
    "single_file_left_out": "{file} in the folder was not audited: its components were read from their own folders",
    "variants_left_out": "weights of another variant were not audited: {file} next to {audited} ({files:#file} in all)",
    "checkpoints_left_out": "not audited: {checkpoints:#checkpoint} of the training in the folder",
    "captions_read": "{images} of {total:#image} with a caption, from {where}",
    "captions_not_used": "{where} of {images:#image} hold captions that were not used; choose one with "
    "--caption-column",
    "captions_several": "{images:#image} with several captions, of which the first was used",
    "caption_lines_may_be_one": "{images:#image} with several lines in the caption file, of which the first was used; "
    "trainers differ: if yours reads all lines as one caption, put them into one line; if not, say so with "
    "--caption-column .txt",
    "captions_cut": "{images} of {total:#caption} longer than the text encoder reads; it reads the beginning",
    "captions_may_be_longer": "{images} of {total:#caption} longer than the text encoder reads, which is the "
    "beginning; a trainer with a longer window read more: if yours did not, say so with --caption-column and the name "
    "of the column or the suffix of the files",
    "captions_missing": "{images} of {total:#image} without a caption, for which the model was asked with none; if it "
    "was trained with captions, it then seems to leak less than it does",
    "captions_absent": "the model reads captions, and no image has one; add those of the training (see privaudit "
    "data), or say with --caption '' that it was trained without any",
    "captions_left_empty": "every caption is empty, so the model was asked with none",
    "captions_replaced": "--caption was used for every image instead of the captions from {where}",
    "classes_numbered": "{classes:#class} without a number were numbered from 0 in the order of their names; if the "
    "training numbered them otherwise, name the numbers in a column class_label",
    "class_names_are_numbers": "the names of {classes:#folder} are numbers, which were taken for those of the classes; "
    "if the training numbered the folders in their order, name the numbers in a column class_label",
    "masks_left_out": "{files:#mask} of other images",
    "unlisted_left_out": "{files:#image} that the metadata of the folder does not name, as trainers leave them out",
    "latents_left_out": "{files:#file} of cached latents",
    "regularisation_left_out": "{files:#regularisation image}",
    "containers_left_out": "{files:#file} {suffix} next to images; pass it by itself if it holds the images",
    "videos_left_out": "{files:#video}",
    "rows_left_out": "{rows:#row} without an image",
    "unsafe_names_left_out": "{files:#member} of the archive: links, devices, or names that would lead out of it",
    "formats_left_out": "{files:#file} {suffix}",
    "placeholder_unknown": "{captions:#caption} with {word}, for which no embedding was loaded; pass it with "
    "--embedding",
    "further_placeholders": "{words:#further word} in angle brackets without an embedding",
    "reference_is_target": "the reference is the target itself, so every difference from it is 0",
    "reference_scores_the_same": "the reference gives every image the same scores as the target, so every difference "
    "from it is 0; a LoRA between them changes nothing",
    "reference_shares_autoencoder": "the reference has the target's autoencoder",
    "reference_has_other_autoencoder": "the reference has another autoencoder, but was run at the target's latents; "
    "its scores mean something only if both share a latent space",
    # gates
    "limit_beyond_gate": "{side} limit {limit:.4g} ({score}) exceeds the gate ({confidence:%} confidence{correction})",
    "limit_within_gate": "largest {side} limit {limit:.4g} ({score}) does not exceed the gate ({confidence:%} "
    "confidence{correction})",
    "one_run_limit_beyond_gate": "lower limit {limit:.4g} (one-run audit of the canaries) exceeds the gate "
    "({confidence:%} confidence{correction})",
    "one_run_limit_within_gate": "lower limit {limit:.4g} (one-run audit of the canaries) does not exceed the gate "
    "({confidence:%} confidence{correction})",
    "gate_out_of_reach": "with so few images this gate could never fail: even a perfect attack would have a lower "
    "limit of only {limit:.4g}{correction}; add images, or set fewer gates or smaller thresholds",
    "gate_needs_nonmembers": "{fpr:%} false positives need at least {needed} independent non-members for {tests:#test} "
    "together; these count as {independent}; fewer tests need fewer",
    "checks_failed": "a check failed",
    "no_score": "no attack was scored",
    "epsilon_has_no_upper_limit": "an audit bounds epsilon from below only",
    "too_few_replicates": "there are too few bootstrap replicates for {tests:#test}; run fewer attacks or set fewer "
    "gates",
    # the verdict and the finding
    "gate_failed": "gate {gate} failed",
    "gate_inconclusive": "gate {gate} is inconclusive",
    "check_failed": "check {check} failed",
    "no_gate_failed": "no gate failed",
    "no_gate_set": "no gate was set, so nothing could fail",
    "reading_in_doubt": "what check {check} warns of can hide a leak",
    "no_score_on_two_of_each": "no attack was scored on at least 2 members and 2 non-members",
    "perfect_scores_unnoticed": "{members} members and {nonmembers} non-members{effective} are too few: not even "
    "error-free scores would differ from chance, corrected for {tests:#test}; add images, or run fewer attacks",
    "perfect_canaries_unnoticed": "{audited} audited canaries, {included} of them trained on, are too few; draw more "
    "canaries",
    "perfect_suspects_unnoticed": "there are too few images (a group counts once): the p-value of the set cannot be "
    "below {smallest_p:.2g}; add suspects or non-members",
    # suspects
    "no_out_of_fold_test": "there are too few suspects or non-members (a group counts once) to choose a score on some "
    "and test it on others, so there is no out-of-fold test",
    "part_of_each_group": "groups differ in size, so only {images:#image} of each took part in the test of the set",
    "set_p_at_least": "the p-value of the set cannot be below {smallest_p:.2g} with so few images (a group counts "
    "once); add suspects or non-members",
    "permutations_cannot_resolve": "{permutations} permutations do not resolve a level of {level:g}",
    "no_flag_possible": "no image can be flagged at a false discovery rate of {rate:%}: with {nonmembers} non-members "
    "(a group counts once) its p-value is at least {smallest_p:.2g}; {needed} or more are needed",
    "flag_needs_several": "at least {needed} of the {suspects} suspects have to score above all non-members before "
    "any is flagged at a false discovery rate of {rate:%}",
    # comparisons
    "new_check_failed": "check {check} of the new run failed",
    "metric_rose": "with {score}, {metric_name} rose from {old:.3f} to {new:.3f}, by at least {rise:.3f}{beyond}",
    "gate_regressed": "gate {gate} passed and fails now",
    "nothing_in_common": "nothing could be compared: the runs have no attack and mask in common",
    "nothing_tested": "no difference could be tested",
    "perfect_rise_unnoticed": "{members:g} members and {nonmembers:g} non-members are too few to show even a rise of "
    "the AUROC from .5 to 1, corrected for {tests:#test}; add images",
    "no_rise_shown": "none of {tests:#difference} is shown to have risen{beyond}",
    "same_model": "both runs audited the same model: the weights are identical",
    "finding_rose": "the finding rose from {old} to {new}",
    "no_difference_shown": "no difference is shown beyond chance, and the level of the finding alone is no regression",
    "gate_undecided_now": "gate {gate} passed and is inconclusive now",
    "old_check_failed": "check {check} of the old run failed: read its numbers with care",
    "versions_differ": "the runs were made by different versions of privaudit; a change may come from the program",
    "level_differs": "each run chose its own noise level by cross-fitting; it differs for {attack}",
    "interval_widened": "what is chosen or learned by cross-fitting varies from run to run; the intervals of {attack} "
    "allow for this by a factor of {factor:.2f} on the standard deviation",
    "images_moved": "{images:#image} left out: members in one run and non-members in the other",
    "paired": "paired: {positives} members and {nonmembers} non-members, scored by both runs",
    "others_left_out": "other images are left out",
    "scores_missing": "not paired: the scores of single images of the run {run} are missing; the intervals are "
    "computed from those of each run, as if the runs had no image in common",
    "same_images_unpaired": "both runs did score the same images, so the intervals are wider than they need to be",
    "too_few_shared": "not paired: only {positives} members and {nonmembers} non-members were scored by both runs; the "
    "intervals are computed from those of each run, as if the runs had no image in common",
    "text": "{text}",
}


class _Writer(Formatter):
    def format_field(self, value: Any, spec: str) -> str:  # noqa: ANN401 - as in the base class
        if spec.startswith("#"):
            return counted(float(value), spec[1:])
        return COMPACT.percent(value) if spec == "%" else str(super().format_field(value, spec))


def fact_text(fact: Fact, positives: str = "members") -> str:
    """Write a fact.

    Args:
        fact: Fact to write.
        positives: Plural name of the images that are compared with the non-members.

    Returns:
        A clause without a capital and a full stop.
    """
    values = {**fact.values, **_derived(fact), "the_positives": positives}
    return _Writer().vformat(TEMPLATES[fact.code], (), values)


def facts_text(facts: Iterable[Fact], positives: str = "members") -> str:
    """Write several facts: clauses separated by semicolons."""
    return "; ".join(fact_text(fact, positives) for fact in facts)


def reason_text(reason: Fact | None) -> str | None:
    """Write why a number is missing or rough; None without a reason."""
    return None if reason is None else fact_text(reason)


def sentence(text: str) -> str:
    """Make a clause a sentence, with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}." if text else ""


def metric_name(metric: str) -> str:
    """Name a metric as the tables do: ``AUROC``, ``TPR@1%FPR``."""
    return metric if metric in ("advantage", "epsilon") else metric.upper()


def _derived(fact: Fact) -> dict[str, str]:
    """Compute the fields that depend on several values of a fact or need words of their own."""
    values, derived = fact.values, {}
    if "attack" in values and "mask" in values:
        derived["score"] = score_text(str(values["attack"]), str(values["mask"]))
    if "family" in values:
        family = str(values["family"])
        derived["family"] = FAMILIES.get(family, family)
    if "tests" in values:
        derived["correction"] = f", corrected for {counted(float(values['tests']), 'test')}" if values["tests"] else ""
    if fact.code in ("limit_needs_nonmembers", "gate_needs_nonmembers"):
        # Rounded down: 367.6 non-members must not read like the 368 that are needed.
        derived["independent"] = str(floor(float(values["nonmembers"])))
    if "margin" in values:
        derived["beyond"] = f" by more than {values['margin']:g}" if values["margin"] else ""
    if "metric" in values:
        derived["metric_name"] = metric_name(str(values["metric"]))
    if fact.code == "perfect_scores_unnoticed":
        sizes, effective = ("members", "nonmembers"), ("effective_members", "effective_nonmembers")
        same = all(values[size] == values[independent] for size, independent in zip(sizes, effective, strict=True))
        some = f"{values[effective[0]]:.1f} and {values[effective[1]]:.1f}"
        derived["effective"] = "" if same else f" (which count as {some}, since some were drawn together)"
    return derived

"""The table of mistakes: each row a code, the local rules that yield the wrong number, a sentence that helps, and the
part of the guide that says more.

In a sentence ``{at}`` is where the slip was made (`` in z1``, or nothing) and ``{note}`` what is particular to it.
Being in the table is being tested: each row is planted wherever it applies, and must come out by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from api.grading import backward_slips as backward
from api.grading import forward_slips as forward
from api.grading import gathering_slips as gathering
from api.grading import loss_slips as loss
from api.grading import state_slips as state
from api.grading import update_slips as update
from api.grading.exercise import Exercise
from api.grading.slip import Slip


@dataclass(frozen=True, slots=True)
class Mistake:
    """One row; ``anchor`` is a section of the guide. A ``rare`` one is believed only where nothing else fits."""

    code: str
    anchor: str
    message: str
    slips: Callable[[Exercise], Iterator[Slip]]
    rare: bool = False

    def sentence(self, slip: Slip) -> str:
        """What to tell who made ``slip``."""
        at = "" if not slip.where else " everywhere" if slip.where == "everywhere" else f" in {slip.where}"
        return self.message.format(at=at, where=slip.where, note=slip.note)


_TABLE = (
    # the loss and what it is divided by
    Mistake("missing_factor_2", "loss",
            "The derivative of a square has a factor 2, ∂(e²)/∂e = 2e; it is missing{at}.", loss.missing_factor_2),
    Mistake("doubled_factor_2", "loss",
            "There is a factor 2 too many{at}: the 2 of ∂(e²)/∂e = 2e counts once, and a ½ before it cancels it.",
            loss.doubled_factor_2),
    Mistake("error_sign", "loss",
            "The sign is the wrong way round: the error is prediction minus target, and its derivative with respect to "
            "the prediction is +1.", loss.error_sign),
    Mistake("sum_for_mean", "reduction",
            "This is a sum, and the loss is a mean: divide by the number of {note}.", loss.sum_for_mean),
    Mistake("mean_for_sum", "reduction",
            "This is a mean, and the loss is a sum: do not divide by the number of {note}.", loss.mean_for_sum),
    Mistake("averaged_twice", "reduction",
            "This was divided by the number of {note} twice: the mean's 1/n belongs in one place only.",
            loss.averaged_twice),
    Mistake("product_of_means", "reduction",
            "This multiplies the mean of one thing with the mean of another; multiply row by row first, then add up.",
            gathering.product_of_means),
    Mistake("last_example_only", "reduction",
            "Only the last row of the batch counts here: add up over all rows (+= in the loop, not =).",
            loss.last_example_only),
    Mistake("first_example_only", "reduction",
            "Only the first row of the batch counts here: add up over all rows.", loss.first_example_only),
    Mistake("target_and_prediction_swapped", "loss",
            "Prediction and target are exchanged in the loss.", loss.target_and_prediction_swapped),
    Mistake("loss_halved", "loss", "This is half of the loss: it has no ½ here.", loss.loss_halved),
    Mistake("loss_doubled", "loss", "This is twice the loss: a factor ½ is missing.", loss.loss_doubled),
    Mistake("loss_sign", "loss", "The loss has the other sign.", loss.loss_sign),
    Mistake("root_taken", "loss", "This is the root of the loss; leave the root out.", loss.root_taken, True),
    # formulas
    Mistake("bias_left_out", "forward", "The bias {note} was left out{at}.", forward.bias_left_out),
    Mistake("term_left_out", "forward", "A term, {note}, was left out of the sum{at}.", forward.term_left_out),
    Mistake("activation_skipped", "activation",
            "The activation function {note} was not applied{at}.", forward.activation_skipped),
    Mistake("other_activation", "activation",
            "Another activation function was applied{at}: {note}.", forward.other_activation),
    Mistake("softmax_not_normalised", "activation",
            "The softmax{at} must be divided by the sum of all its exponentials, so that it adds up to 1.",
            forward.softmax_not_normalised),
    Mistake("softmax_over_rows", "activation",
            "The softmax{at} goes over the batch; it must go over the classes of each row.", forward.softmax_over_rows),
    Mistake("inputs_swapped", "forward", "Two inputs are exchanged: {note}.", forward.inputs_swapped),
    Mistake("matrix_not_transposed", "matrix-transpose",
            "The matrix {note} is the wrong way round{at}: transpose it.", forward.matrix_not_transposed),
    Mistake("square_left_out", "forward", "The square was left out{at}.", forward.square_left_out),
    Mistake("sign_in_formula", "forward", "A sign is the wrong way round{at}: + for − or − for +.",
            forward.sign_in_formula),
    Mistake("order_in_formula", "forward", "The two sides of a −, / or @ are exchanged{at}.",
            forward.order_in_formula, True),
    Mistake("factor_left_out", "forward", "A factor, {note}, was left out{at}.", forward.factor_left_out, True),
    Mistake("other_operation", "forward", "Another operation was done{at}: {note}.", forward.other_operation, True),
    # derivatives of functions
    Mistake("derivative_skipped", "activation",
            "The chain rule goes through {note}{at} as well: multiply by its derivative.", backward.derivative_skipped),
    Mistake("derivative_twice", "activation",
            "The derivative of {note}{at} was multiplied in twice.", backward.derivative_twice),
    Mistake("derivative_of_other", "activation",
            "The derivative of another function was taken{at}: that of {note}.", backward.derivative_of_other),
    Mistake("derivative_at_operand", "activation",
            "The formula for the derivative of {note}{at} takes the function's result; it was given what goes into it.",
            backward.derivative_at_operand),
    Mistake("derivative_at_result", "activation",
            "The derivative of {note}{at} was taken at the function's result; take it at what goes into the function.",
            backward.derivative_at_result),
    Mistake("mask_on_gradient", "activation",
            "The mask of relu{at} was taken from the gradient; it is 1 where what went into relu was positive.",
            backward.mask_on_gradient),
    Mistake("mask_on_other_array", "activation",
            "The mask{at} was taken from another array, {note}; it belongs to what went into this very function.",
            backward.mask_on_other_array, True),
    Mistake("mask_inverted", "activation",
            "The mask of relu{at} is the wrong way round: the gradient passes where the input was positive.",
            backward.mask_inverted),
    Mistake("softmax_diagonal", "activation",
            "Each output of {note}{at} depends on all its inputs: p(1 − p) is only the diagonal of its derivative.",
            backward.softmax_diagonal),
    Mistake("softmax_skipped", "activation",
            "The gradient of cross-entropy is softmax minus target; here the logits stand in place of their softmax.",
            backward.softmax_skipped),
    # products, quotients, matrices
    Mistake("wrong_factor", "backward",
            "The derivative of a product with respect to one factor is the other factor; here it is the same one{at}.",
            backward.wrong_factor),
    Mistake("local_factor_left_out", "chain-rule",
            "The chain rule stops short{at}: multiply by the local derivative too.",
            backward.local_factor_left_out, True),
    Mistake("upstream_left_out", "chain-rule",
            "This is only the local derivative: the chain rule multiplies it by the gradient that comes from the loss.",
            backward.upstream_left_out),
    Mistake("inner_sign", "chain-rule",
            "The inner derivative has a minus{at}, as in ∂(a − b)/∂b = −1; here its sign is the other one.",
            backward.inner_sign),
    Mistake("quotient_rule", "backward",
            "∂(a/b)/∂b = −a/b²: the denominator{at} is not squared here.", backward.quotient_rule),
    Mistake("power_rule", "backward",
            "The exponent{at} goes down by one in the derivative: ∂(a²)/∂a = 2a, not 2a².", backward.power_rule),
    Mistake("matrix_not_transposed", "matrix-transpose",
            "A matrix{at} is the wrong way round in the backward pass: ∂L/∂x = ∂L/∂z · Wᵀ and ∂L/∂W = xᵀ · ∂L/∂z.",
            backward.matrix_not_transposed_backward),
    # gathering
    Mistake("path_missing", "chain-rule",
            "There are several ways from {where} to the loss, and the one by {note} is missing: add up all of them.",
            gathering.path_missing),
    Mistake("gradients_overwritten", "chain-rule",
            "What is used several times gets several contributions: add them up (+=) instead of overwriting (=).",
            gathering.gradients_overwritten),
    Mistake("gradients_not_zeroed", "backward",
            "The gradients of the step before are still in the sum: set them to 0 before each backward pass.",
            gathering.gradients_not_zeroed),
    Mistake("updated_weight_in_backward", "backward",
            "A parameter that was already updated was used in the backward pass: finish all gradients, then update.",
            gathering.updated_weight_in_backward),
    Mistake("gradients_exchanged", "backward", "The gradients of {note} are exchanged.",
            gathering.gradients_exchanged, True),
    # biases, frozen parameters
    Mistake("bias_first_row", "reduction",
            "The bias gets only the gradient of the first row: add up over all rows.", gathering.bias_first_row),
    Mistake("bias_last_row", "reduction",
            "The bias gets only the gradient of the last row: add up over all rows.", gathering.bias_last_row),
    Mistake("bias_averaged", "reduction",
            "The bias's gradient is the sum over the rows of what comes back; the mean's 1/n is in that already.",
            gathering.bias_averaged),
    Mistake("bias_units_mixed", "reduction",
            "Each unit's bias has a gradient of its own: sum over the rows only, not over the units.",
            gathering.bias_units_mixed),
    Mistake("bias_frozen", "backward", "The bias has a gradient too: ∂z/∂b = 1.", gathering.bias_frozen),
    Mistake("only_last_layer", "chain-rule",
            "Only the last layer has gradients here: the chain rule goes on to the layers before it.",
            gathering.only_last_layer),
    Mistake("gradient_zero", "chain-rule", "This gradient is 0, as if nothing came back from the loss.",
            gathering.gradient_zero),
    Mistake("path_missing", "chain-rule", "Nothing comes back from {note} to {where}, nor to what is before it.",
            gathering.way_cut),
    # the update
    Mistake("rate_missing", "update", "The learning rate is missing from the step.", update.rate_missing),
    Mistake("rate_squared", "update", "The learning rate was multiplied in twice.", update.rate_squared),
    Mistake("rate_divided", "update",
            "The step was divided by the number of rows once more: the loss's mean has done that already.",
            update.rate_divided),
    Mistake("rate_multiplied", "update", "The step was multiplied by the number of rows.", update.rate_multiplied),
    Mistake("other_rate", "update",
            "The schedule gives this step another learning rate; that of another step was taken.", update.other_rate),
    Mistake("ascent", "update", "The step goes uphill: subtract it.", update.ascent),
    Mistake("step_alone", "update", "This is the step by itself: add it to the parameter's old value.",
            update.step_alone),
    Mistake("updated_twice", "update", "The step was made twice.", update.updated_twice),
    Mistake("not_updated", "update", "The parameter was not updated.", update.not_updated),
    Mistake("bias_frozen", "update", "The bias was not updated.", update.bias_not_updated),
    Mistake("only_last_layer", "update", "Only the last layer was updated.", update.only_last_layer_updated),
    Mistake("updated_weight_in_backward", "backward",
            "The parameters were updated one after another, each with gradients that the new values of the others had "
            "changed: finish all gradients, then update.", update.one_after_another),
    Mistake("gradients_exchanged", "update", "The steps of {note} are exchanged.", update.step_of_other, True),
    Mistake("one_minus_beta_missing", "momentum",
            "The running average gives a new gradient the weight 1 − β; it is missing.", state.one_minus_beta_missing),
    Mistake("one_minus_beta_added", "momentum",
            "This rule adds the whole new gradient to the decayed sum, without a weight 1 − β.",
            state.one_minus_beta_added),
    Mistake("weights_exchanged", "momentum",
            "The weights β and 1 − β of the running average are exchanged: the old state gets β.",
            state.weights_exchanged),
    Mistake("momentum_missing", "momentum",
            "The state of the steps before does not count here: β says with what weight it does.",
            state.momentum_missing),
    Mistake("betas_swapped", "momentum", "β₁ and β₂ are exchanged: β₁ belongs to m, β₂ to v.", state.betas_swapped),
    Mistake("no_bias_correction", "bias-correction",
            "The bias correction is missing: m and v start at 0, so divide them by 1 − βᵗ.", state.no_bias_correction),
    Mistake("step_count_off", "bias-correction",
            "The step count t is off by one: it is 1 at the first update.", state.step_count_off),
    Mistake("epsilon_inside", "update", "ε stands inside the root; this rule adds it after the root: √v + ε.",
            state.epsilon_inside),
    Mistake("epsilon_outside", "update", "ε stands outside the root; this rule adds it before: √(v + ε).",
            state.epsilon_outside),
    Mistake("epsilon_missing", "update", "ε is missing from the denominator.", state.epsilon_missing),
    Mistake("square_missing", "update", "The second moment averages squares: g², not g.", state.square_missing),
    Mistake("root_missing", "update", "The step is divided by the root of the second moment; the root is missing.",
            state.root_missing),
    Mistake("maximum_missing", "update", "The largest value so far counts here, not the present one.",
            state.maximum_missing),
    Mistake("stale_state", "momentum",
            "The step was made with the old {note}: first bring the optimiser's state up to date, then step.",
            state.stale_state),
    Mistake("state_not_kept", "momentum",
            "The optimiser's state was started anew: it must be kept from step to step.", state.state_not_kept),
    Mistake("moments_stored_corrected", "bias-correction",
            "The bias-corrected moments were kept as state; keep m and v themselves and correct them at each step.",
            state.moments_stored_corrected),
    Mistake("look_ahead_missing", "momentum",
            "This is plain momentum: Nesterov's rule looks ahead along the step.", state.look_ahead_missing),
    Mistake("weight_decay_missing", "weight-decay", "Weight decay is missing.", update.weight_decay_missing),
    Mistake("weight_decay_sign", "weight-decay", "Weight decay has the wrong sign: it makes weights smaller.",
            update.weight_decay_sign),
    Mistake("weight_decay_scale", "weight-decay", "Weight decay is off by a factor 2.", update.weight_decay_doubled),
    Mistake("weight_decay_moved", "weight-decay",
            "Weight decay is in the wrong place: in the gradient it passes through the optimiser's state, in the "
            "weight it does not, and there it is multiplied by the learning rate.", update.weight_decay_moved),
    Mistake("clip_missing", "update", "The gradients were not clipped.", update.clip_missing),
    Mistake("clip_otherwise", "update",
            "The gradients were clipped in another way: this rule takes the norm of all parameters together, or each "
            "value by itself, as it says.", update.clip_each),
    Mistake("other_optimizer", "update", "This is the step of another rule: {note}.", state.other_optimizer, True),
    Mistake("other_loss", "loss", "This is what another loss gives: {note}.", loss.other_loss),
    # last, since it explains almost anything
    Mistake("other_quantity", "forward", "Another quantity was used{at}: {note}.", forward.values_of_other, True),
)  # fmt: skip

MISTAKES: tuple[Mistake, ...] = _TABLE


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """A mistake at one place."""

    mistake: Mistake
    slip: Slip

    @property
    def sentence(self) -> str:
        """What to tell who made it."""
        return self.mistake.sentence(self.slip)

    @property
    def unlikeliness(self) -> int:
        """0 for what is made all over, 1 for what is made at one place of many, 2 for what is rare."""
        return 2 if self.mistake.rare else int(self.slip.where not in ("", "everywhere"))

    @property
    def document(self) -> dict[str, str]:
        """As answers tell it; ``link`` is below the client's root."""
        return {"code": self.mistake.code, "message": self.sentence, "link": f"/guide.html#{self.mistake.anchor}"}


def planted(exercise: Exercise) -> list[Planted]:
    """Every mistake of the table at every place of an exercise where it can be made."""
    return [Planted(row, slip) for row in MISTAKES for slip in row.slips(exercise)]

"""What the dock's fields come to: a request for a run, and where it cannot be one yet."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari_tessera.widgets.fields.advanced import AdvancedSection
from napari_tessera.widgets.fields.area import AreaField
from napari_tessera.widgets.fields.image import ImageField
from napari_tessera.widgets.fields.model import ModelField
from napari_tessera.widgets.fields.save import SaveSection
from napari_tessera.widgets.fields.text import in_peoples_words
from napari_tessera.widgets.fields.tiles import TilesSection, is_about_overlap
from napari_tessera.widgets.model_reader import ModelChoice
from napari_tessera.widgets.reports import FieldProblem, PlanReview
from napari_tessera.widgets.request import ON_CLUSTERS, RunRequest


@dataclass(frozen=True)
class Settings:
    """The fields that a run is asked for with, read and reported to together."""

    image: ImageField
    model: ModelField
    area: AreaField
    tiles: TilesSection
    save: SaveSection
    advanced: AdvancedSection

    @property
    def problem(self) -> str:
        """First reason, as the fields themselves know it, why no run can start; else empty."""
        return self.problem_unsaved or self.save.problem

    @property
    def problem_unsaved(self) -> str:
        """The same for what saves nothing: what is at the place to save to does not matter."""
        if not self.image.layers:
            return "Open an image first"
        for field in (self.image, self.model, self.area, self.tiles, self.advanced):
            if problem := field.problem:
                return problem
        # a place that cannot be read leaves no request
        return self.save.problem if self.request() is None else ""

    @property
    def model_choice(self) -> ModelChoice:
        """The one model chosen for all channels, and how it is to run."""
        advanced = self.advanced
        return ModelChoice(
            self.model.value, str(advanced.device.value), str(advanced.precision.value)
        )

    @property
    def sole_model_choice(self) -> ModelChoice | None:
        """The same; None where channels have models of their own."""
        return None if self.model.of_channels else self.model_choice

    def follow_area(self) -> None:
        """Let the place to run at know whether the area is one that is computed there."""
        area = self.area.value
        self.advanced.set_area(area, stays_here=area not in ON_CLUSTERS)

    def request(self) -> RunRequest | None:
        """What the fields ask for; None where they cannot be read."""
        if not self.image.layers:
            return None
        try:
            return RunRequest(
                layers=self.image.layers,
                model=self.model.value,
                channel_models=self.model.of_channels,
                axes=self.image.axes,
                area=self.area.value,
                inside=self.area.inside,
                inside_version=self.area.inside_version,
                channels=self.area.channels,
                patch_size=self.tiles.patch_size,
                overlaps=self.tiles.overlaps,
                batch_size=self.advanced.batch_size,
                device=str(self.advanced.device.value),
                precision=str(self.advanced.precision.value),
                normalization=self.advanced.intensity.normalization,
                statistics=self.advanced.intensity.statistics,
                blending=self.advanced.joining.blending,
                tta=self.advanced.joining.tta,
                hot_pixels=self.advanced.camera.hot_pixels,
                camera_offset=self.advanced.camera.camera_offset,
                camera_gain=self.advanced.camera.camera_gain,
                save=self.save.target,
                cluster=self.advanced.run_on.used,
            )
        except ValueError:
            # The field that cannot be read says why itself.
            return None

    def request_to_review(self) -> RunRequest | None:
        """What can be looked at before all is answered; None where the fields cannot be read.

        What to do where a file exists decides nothing that a look at settings tells.
        """
        fields = (self.image, self.model, self.area, self.tiles, self.advanced)
        if any(field.problem for field in fields):
            return None
        request = self.request()
        if request is None or request.save is None or request.save.if_exists != "ask":
            return request
        return replace(request, save=replace(request.save, if_exists="rename"))

    def report(self, problem: FieldProblem | None) -> None:
        """Show a problem beside the field that causes it, and none beside the others."""
        field = "" if problem is None else problem.field
        message = "" if problem is None else in_peoples_words(problem.message)

        def of(*names: str) -> str:
            return message if field in names else ""

        self.image.report(of("image", "axes"))
        self.model.report(of("model"))
        self.area.report(of("area"))
        self.tiles.report(of("patch_size"), of("overlaps"))
        self.save.report(of("save", "output_dtype"), "" if problem is None else problem.kind)
        self.advanced.report(
            of("batch_size", "threads"),
            of("normalization", "statistics"),
            of("blending", "tta"),
            of("hot_pixels", "camera_offset", "camera_gain"),
        )

    def show_review(self, review: PlanReview) -> list[str]:
        """Show what the settings came to; gives the warnings that belong to no field."""
        request, plan = review.request, review.plan
        self.tiles.show_plan(
            plan.layout.spatial_axes,
            plan.patch_size,
            plan.overlaps,
            review.reach,
            auto_size=request.patch_size == "auto",
            auto_overlap=request.overlaps == "auto",
            one_tile=plan.tiles.n_tiles == 1,
        )
        self.advanced.show_review(review)
        self.save.show_places(review.places, review.waits)
        self.model.keep(request)
        if axes_matter(review) and self.image.axes_uncertain:
            self.image.ask_for_axes()
        about_overlap = [text for text in review.warnings if is_about_overlap(text)]
        self.tiles.show_warnings(about_overlap)
        self.model.show_warnings(review.model_warnings)
        shown = {*about_overlap, *review.model_warnings}
        return [text for text in review.warnings if text not in shown]

    def ask_where_axes_matter(self, problem: FieldProblem) -> None:
        """Open the axes field where a guess of the axes may be what a problem comes from."""
        about_axes = problem.field == "axes" or (
            problem.field == "model" and ", the image " in problem.message
        )
        if about_axes and self.image.axes_uncertain:
            self.image.ask_for_axes()

    def reset(self) -> None:
        """Set all but the image back to what it was at first."""
        self.image.axes = None
        self.model.reset()
        self.area.reset()
        self.tiles.reset()
        self.save.reset()
        self.advanced.reset()


def axes_matter(review: PlanReview) -> bool:
    """Whether it makes a difference which of an image's further axes is Z, T or C.

    A 2D model of one channel runs on every plane by itself, whatever the planes are.
    """
    layout = review.plan.layout
    together = "C" in layout.axes and "C" not in layout.fold
    return "Z" in layout.spatial_axes or together

"""How the page looks: quiet paper and ink, one warm accent, light and dark; fonts of the visitor's own system."""

from __future__ import annotations

import gradio as gr
from gradio.themes import Base, Color, Size

INK = Color(
    name="ink",
    c50="#faf8f4", c100="#f3efe8", c200="#e5dfd4", c300="#cfc7b9", c400="#a39a8b", c500="#7b7265", c600="#5e564b",
    c700="#453f37", c800="#2c2823", c900="#1e1b18", c950="#151311",
)  # fmt: skip
VERMILION = Color(
    name="vermilion",
    c50="#fdf3ef", c100="#fbe2d9", c200="#f5c2b1", c300="#ee9c82", c400="#e57a5a", c500="#c8502f", c600="#b04124",
    c700="#91341d", c800="#712a19", c900="#572217", c950="#33120c",
)  # fmt: skip
ROUND = Size(name="round", xxs="2px", xs="4px", sm="6px", md="8px", lg="10px", xl="12px", xxl="14px")
SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Liberation Sans", "sans-serif")


def theme() -> Base:
    """The theme; everything else is in web/studio.css."""
    made: Base = gr.themes.Base(
        primary_hue=VERMILION,
        secondary_hue=INK,
        neutral_hue=INK,
        radius_size=ROUND,
        font=SANS,
        font_mono=("ui-monospace", "Menlo", "Consolas", "Liberation Mono", "monospace"),
    ).set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        background_fill_primary="#fffefb",
        background_fill_primary_dark="*neutral_900",
        background_fill_secondary="*neutral_100",
        background_fill_secondary_dark="*neutral_900",
        border_color_primary="*neutral_200",
        border_color_primary_dark="*neutral_800",
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_shadow="none",
        block_padding="0px",
        block_label_text_weight="600",
        block_title_text_weight="600",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        input_background_fill="#fffefb",
        input_background_fill_dark="*neutral_800",
        input_border_width="1px",
        input_border_width_dark="1px",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_700",
        slider_color="*primary_500",
        slider_color_dark="*primary_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        checkbox_label_background_fill="transparent",
        checkbox_label_background_fill_dark="transparent",
        checkbox_label_border_width="0px",
        checkbox_label_padding="2px 0",
        layout_gap="24px",
    )
    return made

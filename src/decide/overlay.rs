//! The overlay edit: text in, text and changes out, every other byte kept.

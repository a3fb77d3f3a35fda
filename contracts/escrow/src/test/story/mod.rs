//! The stories an escrow is made for, each told by this crate and by the committed Wasm.

mod golden;
mod parted;

use super::world::{Code, World};

fn each(story: impl Fn(World)) {
    for code in [Code::Native, Code::Wasm] {
        story(World::of(code));
    }
}

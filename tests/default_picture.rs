//! The picture in the program is the one that its example draws.

#[allow(dead_code, reason = "an example has a main function")]
#[path = "../examples/draw_default_picture.rs"]
mod drawing;

#[test]
fn the_picture_in_the_program_is_the_one_drawn() {
    let shipped = regard::images::Picture::default_picture();
    let drawn = drawing::draw();
    assert_eq!((shipped.width, shipped.height), (drawn.width() as usize, drawn.height() as usize));
    assert!(shipped.rgb == drawn.into_raw());
}

//! What plugins get wrong is answered with an error, never followed.

use tollgate_ts::message::{Access, BufferId, Kind, Loc, MessageError, MessageTable};

struct Made {
    table: MessageTable,
    id: BufferId,
    header: Loc,
    field: Loc,
}

fn made() -> Made {
    let table = MessageTable::new();
    let id = table.create().expect("room");
    let (header, field) = table
        .with(id, |b| {
            let header = b.create_fields();
            let field = b.create_field(b.header(header)?, Some(b"A"))?;
            b.attach_field(field)?;
            Ok((header, b.open_field(field)?))
        })
        .expect("a field");
    Made { table, id, header, field }
}

#[test]
fn a_released_handle_is_stale() {
    let m = made();
    assert_eq!(m.table.with(m.id, |b| b.release(Some(m.header), m.field)), Ok(()));
    assert_eq!(m.table.with(m.id, |b| b.release(Some(m.header), m.field)), Err(MessageError::Stale));
    assert_eq!(m.table.with(m.id, |b| b.field(m.field)), Err(MessageError::Stale));
}

#[test]
fn a_handle_of_another_kind_is_refused() {
    let m = made();
    assert_eq!(m.table.with(m.id, |b| b.header(m.field)), Err(MessageError::WrongKind));
    assert_eq!(m.table.with(m.id, |b| b.url(m.header)), Err(MessageError::WrongKind));
    assert_eq!(m.table.with(m.id, |b| b.field(m.header)), Err(MessageError::WrongKind));
    assert_eq!(m.header.kind(), Some(Kind::Header));
    assert_eq!(BufferId::from_raw(m.header.raw()), None);
    let address = Loc::from_raw(0x7f00_1234_5678).expect("not null");
    assert_eq!(m.table.with_owner(address, |_| Ok(())), Err(MessageError::WrongKind));
}

#[test]
fn a_field_is_released_and_used_only_with_its_own_header() {
    let m = made();
    let other = m.table.with(m.id, |b| Ok(b.create_fields())).expect("a header");
    let released = m.table.with(m.id, |b| b.release(Some(other), m.field));
    assert_eq!(released, Err(MessageError::WrongParent));
    let used = m.table.with(m.id, |b| b.field_of(b.header(other)?, m.field));
    assert_eq!(used, Err(MessageError::WrongParent));
}

#[test]
fn nothing_is_reached_in_a_destroyed_buffer() {
    let m = made();
    assert_eq!(m.table.destroy(m.id), Ok(()));
    assert_eq!(m.table.destroy(m.id), Err(MessageError::NoBuffer));
    assert_eq!(m.table.with(m.id, |_| Ok(())), Err(MessageError::NoBuffer));
    assert_eq!(m.table.with_owner(m.field, |_| Ok(())), Err(MessageError::Stale));
}

#[test]
fn a_slot_that_is_used_again_does_not_serve_old_handles() {
    let m = made();
    m.table.destroy(m.id).expect("alive");
    for _ in 0..1000 {
        let id = m.table.create().expect("room");
        assert_ne!(id, m.id);
        assert!(m.table.with_owner(m.header, |b| b.header(m.header)).is_err());
        m.table.destroy(id).expect("alive");
    }
}

#[test]
fn a_destroyed_field_is_not_brought_back() {
    let m = made();
    let outcome = m.table.with(m.id, |b| {
        let field = b.field(m.field)?;
        b.destroy_field(field);
        b.field_of(b.header(m.header)?, m.field)
    });
    assert_eq!(outcome, Err(MessageError::Destroyed));
}

#[test]
fn a_read_only_buffer_is_read_but_not_changed() {
    let m = made();
    let forbid = |b: &mut tollgate_ts::message::Buffer| {
        b.set_access(Access::ReadOnly);
        Ok(())
    };
    m.table.with(m.id, forbid).expect("alive");
    assert_eq!(m.table.change(m.id, m.header, |_| Ok(())), Err(MessageError::ReadOnly));
    assert!(m.table.with_loc(m.id, m.header, |b| b.header(m.header)).is_ok());
    assert_eq!(m.table.destroy(m.id), Err(MessageError::ReadOnly));
}

#[test]
fn a_location_is_found_with_another_live_buffer() {
    let m = made();
    let other = m.table.create().expect("room");
    assert!(m.table.with_loc(other, m.header, |b| b.header(m.header)).is_ok());
    m.table.destroy(other).expect("alive");
    assert_eq!(m.table.with_loc(other, m.header, |_| Ok(())), Err(MessageError::NoBuffer));
}

//! Which entries a cache keeps with S3-FIFO, and by size.

use super::*;

#[test]
fn s3_fifo_keeps_what_is_used_from_a_scan() {
    let mut cache: Cache<S3Fifo> = cache(64 << 10);
    for number in 0..20 {
        assert_eq!(cache.put(&name(number), &[7; 100]), Ok(()));
        assert!(cache.len_of(&name(number)).is_some());
    }
    for number in 1_000..5_000 {
        assert_eq!(cache.put(&name(number), &[7; 100]), Ok(()));
    }
    assert!(cache.evicted() > 3_000);
    assert!((0..20).all(|number| cache.len_of(&name(number)).is_some()));
    // One that comes again soon after it went is remembered, and stays longer from then on.
    let gone = name(5_000 - cache.len());
    assert_eq!(cache.len_of(&gone), None);
    assert_eq!(cache.put(&gone, &[7; 100]), Ok(()));
    for number in 5_000..5_400 {
        assert_eq!(cache.put(&name(number), &[7; 100]), Ok(()));
    }
    assert!(cache.len_of(&gone).is_some(), "it came back into the main queue");
}

#[test]
fn s3_fifo_remembers_large_ones_too() {
    let large = std::vec![7; 100 << 10];
    let mut cache: Cache<S3Fifo> = cache(1 << 20);
    for number in 0..20 {
        assert_eq!(cache.put(&name(number), &large), Ok(()));
    }
    let gone = name(19 - cache.len());
    assert_eq!(
        cache.len_of(&gone),
        None,
        "it went last, and left nothing in its part of the table"
    );
    assert_eq!(cache.put(&gone, &large), Ok(()));
    for number in 20..40 {
        assert_eq!(cache.put(&name(number), &large), Ok(()));
    }
    assert!(cache.len_of(&gone).is_some(), "it came back into the main queue");
}

/// How many of the small entries are left after so many large ones that nobody asks for again.
fn small_ones_left<P: Policy<Global>>() -> usize {
    let mut cache = cache::<P>(256 << 10);
    for number in 0..300 {
        assert_eq!(cache.put(&name(number), &[7; 100]), Ok(()));
    }
    for number in 1_000..1_200 {
        assert_eq!(cache.put(&name(number), &[7; 10 << 10]), Ok(()));
    }
    (0..300).filter(|&number| cache.len_of(&name(number)).is_some()).count()
}

#[test]
fn size_aware_keeps_small_ones_from_large_ones() {
    assert_eq!((small_ones_left::<Lru>(), small_ones_left::<S3Fifo>()), (0, 0));
    let left = small_ones_left::<SizeAware>();
    assert!((200..300).contains(&left), "{left} of 300 are left");
}

fn asked_for_once_each<P: Policy<Global>>() {
    let mut cache = cache::<P>(16 << 10);
    for number in 0..1_000 {
        assert_eq!(cache.put(&name(number), &[7; 100]), Ok(()));
        assert!(cache.len_of(&name(number)).is_some());
    }
    assert!(cache.evicted() > 800);
    assert_eq!(cache.store.departed.evicted_unused, 0);
}

#[test]
fn what_was_asked_for_does_not_go_as_unused() {
    asked_for_once_each::<Lru>();
    asked_for_once_each::<S3Fifo>();
    asked_for_once_each::<SizeAware>();
}

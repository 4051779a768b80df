"""What links do to messages: loss, delay, duplication, corruption, reordering."""

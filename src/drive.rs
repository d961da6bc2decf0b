//! THE LOOP: drives one run to its end. The only file that knows the order.

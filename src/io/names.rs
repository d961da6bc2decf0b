//! Host names where the C library is part of the program.
//!
//! Such a program would still load the plugins that `/etc/nsswitch.conf` names, and those belong to the C library of the
//! running system: another version of it ends the process. So names are looked up in `/etc/hosts` and over DNS, as Go's
//! programs (kubectl, argocd, gh) do; what a plugin alone knows (mDNS, LLMNR) has to be asked of a DNS server.
#![cfg_attr(static_libc, allow(unsafe_code, reason = "the C library's setting has no binding"))]

/// Settles how names are looked up; before the first lookup.
pub fn settle() {
    #[cfg(static_libc)]
    for (database, services) in [(c"hosts", c"files dns"), (c"passwd", c"files")] {
        // SAFETY: both are strings that live for ever; the call takes the C library's own lock.
        unsafe { __nss_configure_lookup(database.as_ptr(), services.as_ptr()) };
    }
}

#[cfg(static_libc)]
unsafe extern "C" {
    /// Overrides one line of `/etc/nsswitch.conf` for this process (glibc's `nss.h`). Fails only for lack of memory or
    /// a misspelt argument.
    fn __nss_configure_lookup(database: *const std::ffi::c_char, services: *const std::ffi::c_char) -> std::ffi::c_int;
}

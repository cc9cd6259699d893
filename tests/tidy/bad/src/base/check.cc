void check_failed() { std::abort(); }

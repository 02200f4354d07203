use super::*;

fn parsed(text: &str) -> Result<(String, String), QueueUrlError> {
    let url: QueueUrl = text.parse()?;
    Ok((url.place.file().unwrap().to_str().unwrap().to_owned(), url.queue.as_str().to_owned()))
}

#[test]
fn a_url_names_a_file_and_a_queue() {
    let cases = [
        ("sqlite:jobs?queue=work", "jobs", "work"),
        ("SQLite:jobs?queue=work", "jobs", "work"),
        ("sqlite:./a/b.db?queue=a/b", "./a/b.db", "a/b"),
        ("sqlite:/var/lib/jobs?queue=work", "/var/lib/jobs", "work"),
        ("sqlite:a%3Fb%25%23?queue=x%26y%3Dz", "a?b%#", "x&y=z"),
        ("sqlite:a+b?queue=c+d", "a+b", "c+d"),
        ("sqlite:a:b?queue=%C3%BC", "a:b", "ü"),
    ];
    for (text, path, queue) in cases {
        assert_eq!(parsed(text), Ok((path.to_owned(), queue.to_owned())), "{text}");
        let url: QueueUrl = text.parse().unwrap();
        assert_eq!(url.to_string().parse(), Ok(url), "{text}");
    }
    let written = "sqlite:a%3fb%25?queue=%c3%bc".parse::<QueueUrl>().unwrap().to_string();
    assert_eq!(written, "sqlite:a%3Fb%25?queue=%C3%BC");
}

#[test]
fn a_url_names_a_server() {
    let server = |text: &str| match text.parse::<QueueUrl>().unwrap().place {
        QueuePlace::Server(server) => server,
        QueuePlace::Sqlite(_) => panic!("{text} is no file"),
    };
    let host = |name: &str, port| ServerHost { name: name.to_owned(), port };
    let redis = server("rediss://al%3Aice@h.example:7000/3?queue=q&password-file=a%26b&ca=/c.pem");
    assert_eq!((redis.kind, redis.is_tls), (ServerKind::Redis, true));
    assert_eq!((redis.user.as_deref(), redis.space.as_deref()), (Some("al:ice"), Some("3")));
    assert_eq!(redis.hosts, [host("h.example", 7000)]);
    assert_eq!(redis.password_file.as_deref(), Some(Path::new("a&b")));
    assert_eq!(redis.ca_file.as_deref(), Some(Path::new("/c.pem")));
    let nats = server("nats://[::1],b:1?credentials=c&queue=q");
    assert_eq!(nats.hosts, [host("::1", 4222), host("b", 1)]);
    assert_eq!(nats.credentials_file.as_deref(), Some(Path::new("c")));
    assert_eq!(server("amqp://h/a%2Fb?queue=q").space.as_deref(), Some("a/b"));
    assert_eq!(server("amqp://h/?queue=q").space, None);
    for text in [
        "rediss://al%3Aice@h.example:7000/3?queue=q&password-file=a%26b&ca=/c.pem",
        "nats://[::1],b:1?queue=q&credentials=c",
        "nats+tls://h?queue=q",
        "amqps://u@h/a%2Fb?queue=q&once-per-host=/var/lib/once",
        "redis://127.0.0.1?queue=q",
    ] {
        let url: QueueUrl = text.parse().unwrap();
        assert_eq!(url.to_string().parse(), Ok(url), "{text}");
    }
}

#[test]
fn other_urls_are_refused_by_what_is_wrong_with_them() {
    use QueueUrlError as E;

    let long = format!("sqlite:f?queue={}", "n".repeat(MAX_NAME_BYTES + 1));
    let cases = [
        ("jobs", E::SchemeMissing),
        ("/a:b?queue=n", E::SchemeMissing),
        ("kafka://localhost?queue=n", E::SchemeUnknown { scheme: "kafka".to_owned() }),
        ("sqlite:", E::PathMissing),
        ("sqlite:?queue=n", E::PathMissing),
        ("sqlite::memory:?queue=n", E::InMemory),
        ("sqlite:///jobs?queue=n", E::Authority),
        ("sqlite://host/jobs?queue=n", E::Authority),
        ("sqlite:jobs", E::NameMissing),
        ("sqlite:jobs?", E::NameMissing),
        ("sqlite:jobs?queue=", E::Name(QueueNameError::Empty)),
        ("sqlite:jobs?queue", E::Name(QueueNameError::Empty)),
        ("sqlite:jobs?queue=a%0Ab", E::Name(QueueNameError::Control)),
        (&long, E::Name(QueueNameError::TooLong { bytes: MAX_NAME_BYTES + 1 })),
        ("sqlite:jobs?queue=a&queue=b", E::Repeated { name: "queue" }),
        ("sqlite:jobs?queue=a&mode=ro", E::ParameterUnknown { name: "mode".to_owned() }),
        ("sqlite:jobs?queue=a&ca=b", E::ParameterUnknown { name: "ca".to_owned() }),
        ("sqlite:jobs?Queue=a", E::NameMissing),
        ("sqlite:jobs?queue=a#b", E::Fragment),
        ("sqlite:100%?queue=a", E::Escape),
        ("sqlite:a%+1?queue=a", E::Escape),
        ("sqlite:a%00?queue=a", E::Nul),
        ("sqlite:jobs?queue=%FF", E::Utf8),
        ("redis:h?queue=a", E::HostMissing),
        ("redis://?queue=a", E::HostMissing),
        ("redis://u@?queue=a", E::HostMissing),
        ("redis://a b?queue=a", E::HostMissing),
        ("redis://[::1?queue=a", E::HostMissing),
        ("redis://h:70000?queue=a", E::Port),
        ("redis://[::1]6379?queue=a", E::Port),
        ("redis://u:secret@h?queue=a", E::Password),
        ("redis://:secret@h?queue=a", E::Password),
        ("redis://h/db?queue=a", E::Space { kind: "redis" }),
        ("nats://h/x?queue=a", E::Space { kind: "nats" }),
        ("redis://h", E::NameMissing),
        (
            "redis://h?queue=a&credentials=b",
            E::ServerParameterUnknown { name: "credentials".to_owned() },
        ),
        (
            "nats://h?queue=a&once-per-host=b",
            E::ServerParameterUnknown { name: "once-per-host".to_owned() },
        ),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<QueueUrl>(), Err(error), "{text}");
    }
}

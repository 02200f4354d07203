//! The scripts of docs/cookbook.md are taken from the page and run, also with signatures that are refused. Those that
//! need Redis are run in tests/foreign.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Output;
use std::sync::LazyLock;

use crate::common::Person;
use crate::page::Page;

static PAGE: LazyLock<Page> = LazyLock::new(|| Page::read("docs/cookbook.md"));

const BACKUP: &str = "A backup through a pipe";
const RELEASE: &str = "A release with a list of checksums";
const CRON: &str = "A cron job that verifies and runs";
const MAKE: &str = "Rules of make";
const GIT: &str = "A git hook";

/// Writes a script of the page into the directory of a person, who can run it then.
fn install(person: &Person, section: &str, title: &str) {
    person.write(title, PAGE.snippet(section, title));
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(person.path(title), executable).unwrap();
}

/// Lets a person have the public key of another, and type what the page says once for a section.
fn trust(person: &Person, signer: &Person, name: &str, section: &str) {
    let public = signer.brinekey(["pub"]).output().unwrap().stdout;
    person.write(&format!("{name}.pub"), public);
    run(person, PAGE.snippet(section, ""), 0);
}

/// Runs a line that ends with a status.
#[track_caller]
fn run(person: &Person, line: &str, status: i32) -> Output {
    let output = person.shell(line).output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{line}: {output:?}");
    output
}

/// Flips a bit in the middle of a file.
fn alter(person: &Person, name: &str) {
    let mut bytes = person.read(name);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    person.write(name, bytes);
}

/// A machine whose backups go to a host, and another that restores them.
struct Backups {
    web: Person,
    restorer: Person,
}

impl Backups {
    fn new() -> Self {
        let backups = Self { web: Person::with_key(), restorer: Person::new() };
        install(&backups.web, BACKUP, "backup");
        install(&backups.restorer, BACKUP, "restore");
        trust(&backups.restorer, &backups.web, "web1", BACKUP);
        // As ssh does: the words are a line for the shell of the host, which is the directory of the restorer.
        let host = backups.restorer.directory.path().display();
        let ssh = format!(
            "#!/bin/sh\n[ \"$1\" = host ] && shift && cd {host}/host && exec sh -c \"$*\"\n"
        );
        for person in [&backups.web, &backups.restorer] {
            fs::create_dir(person.path("bin")).unwrap();
            person.write("bin/ssh", &ssh);
            fs::set_permissions(person.path("bin/ssh"), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::create_dir(backups.restorer.path("host")).unwrap();
        run(&backups.web, "mkdir 'my site' && echo hello > 'my site/a page'", 0);
        backups
    }

    #[track_caller]
    fn backup(&self, directory: &str, status: i32) {
        run(&self.web, &format!("PATH=$PWD/bin:$PATH ./backup {directory} host"), status);
    }

    #[track_caller]
    fn restore(&self, archive: &str, status: i32) -> Output {
        let line = format!("PATH=$PWD/bin:$PATH ./restore {archive} host 'new site'");
        run(&self.restorer, &line, status)
    }
}

#[test]
fn a_backup_is_restored_as_it_was() {
    let backups = Backups::new();
    // The second replaces the first.
    backups.backup("'my site'", 0);
    backups.backup("'my site'", 0);
    backups.restore("'my site.tar.gz.brine'", 0);
    assert_eq!(backups.restorer.read("new site/a page"), b"hello\n");
}

#[test]
fn a_backup_that_is_refused_is_not_restored() {
    let backups = Backups::new();
    backups.backup("'my site'", 0);
    let host = &backups.restorer;
    run(host, "cp 'host/my site.tar.gz.brine' host/cut && truncate -s -1 host/cut", 0);
    alter(host, "host/my site.tar.gz.brine");
    // Signed by nobody who is trusted, and for something else.
    let stranger = Person::with_key();
    host.write("host/foreign", stranger.sign(["-c", "backup"], b"x"));
    host.write("host/other", backups.web.sign(["-c", "release"], b"x"));
    for (archive, status) in
        [("'my site.tar.gz.brine'", 1), ("cut", 1), ("foreign", 5), ("other", 5), ("missing", 3)]
    {
        backups.restore(archive, status);
        assert!(!host.path("new site").exists(), "{archive}");
    }
}

/// What tar wrote before it failed was signed, and is not taken for a backup.
#[test]
fn a_backup_that_failed_has_no_name() {
    let backups = Backups::new();
    backups.backup("'no site'", 2);
    let left = fs::read_dir(backups.restorer.path("host")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["no site.tar.gz.brine.part"]);
}

/// A vendor with a release, and somebody who installs it.
fn release() -> (Person, Person) {
    let (vendor, user) = (Person::with_key(), Person::new());
    install(&vendor, RELEASE, "release");
    install(&user, RELEASE, "install-release");
    trust(&user, &vendor, "vendor", RELEASE);
    run(&vendor, "mkdir -p 'v 1/sub' && echo a > 'v 1/a file' && echo b > 'v 1/sub/b'", 0);
    // Also the second time.
    run(&vendor, "./release 'v 1' && ./release 'v 1'", 0);
    (vendor, user)
}

fn fetch(vendor: &Person, user: &Person) {
    let line = format!("cp -r {}/. .", vendor.directory.path().display());
    run(user, &line, 0);
}

#[test]
fn a_release_is_installed_as_it_was_signed() {
    let (vendor, user) = release();
    fetch(&vendor, &user);
    user.write("v 1/added", "not signed");
    run(&user, "./install-release 'v 1' 'the tool'", 0);
    assert_eq!(
        (user.read("the tool/a file"), user.read("the tool/sub/b")),
        (b"a\n".to_vec(), b"b\n".to_vec())
    );
    assert!(!user.path("the tool/added").exists());
}

#[test]
fn a_release_that_is_refused_is_not_installed() {
    let (vendor, user) = release();
    let foreign = Person::with_key();
    let breaks: [(&str, i32); 5] = [
        ("rm 'v 1/SHA256SUMS.brine'", 4),
        ("echo c > 'v 1/a file'", 1),
        ("rm 'v 1/sub/b'", 2),
        ("cp foreign 'v 1/SHA256SUMS.brine'", 5),
        ("cp other 'v 1/SHA256SUMS.brine'", 5),
    ];
    user.write("foreign", foreign.sign(["-c", "release"], &vendor.read("v 1/SHA256SUMS")));
    user.write("other", vendor.sign(["-c", "backup"], &vendor.read("v 1/SHA256SUMS")));
    for (line, status) in breaks {
        fetch(&vendor, &user);
        let before = user.files();
        run(&user, line, 0);
        run(&user, "./install-release 'v 1' 'the tool'", status);
        assert_eq!(user.files(), before, "{line}");
    }
    fetch(&vendor, &user);
    alter(&user, "v 1/SHA256SUMS.brine");
    run(&user, "./install-release 'v 1' 'the tool'", 1);
    assert!(!user.path("the tool").exists());
}

#[test]
fn cron_runs_the_jobs_that_are_signed_and_no_others() {
    let (operator, stranger, server) = (Person::with_key(), Person::with_key(), Person::new());
    install(&server, CRON, "run-jobs");
    trust(&server, &operator, "ops", CRON);
    fs::create_dir(server.path("the jobs")).unwrap();
    run(&server, "./run-jobs 'the jobs'", 0);
    let job = |signer: &Person, context: &str, name: &str, script: &str| {
        let job = signer.sign(["-c", context], script.as_bytes());
        server.write(&format!("the jobs/{name}.brine"), job);
    };
    job(&operator, "maintenance", "1 good", "echo first; touch 'one file'");
    let output = run(&server, "./run-jobs 'the jobs'", 0);
    assert_eq!((output.stdout, output.stderr), (b"first\n".to_vec(), vec![]));

    job(&stranger, "maintenance", "2 foreign", "touch ran");
    job(&operator, "release", "3 other", "touch ran");
    job(&operator, "maintenance", "4 altered", "touch ran");
    alter(&server, "the jobs/4 altered.brine");
    job(&operator, "maintenance", "5 good", "echo last");
    // Of those that ended otherwise, the last one counts.
    let output = run(&server, "./run-jobs 'the jobs'", 1);
    assert_eq!(output.stdout, b"first\nlast\n", "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said.matches("brine: error: ").count(), 3, "{said}");
    assert!(!server.path("ran").exists());

    job(&operator, "maintenance", "6 fails", "false; touch ran");
    job(&operator, "maintenance", "7 fails", "exit 77");
    run(&server, "./run-jobs 'the jobs'", 77);
    assert!(!server.path("ran").exists());
    // Later than the script allows.
    let script = PAGE.snippet(CRON, "run-jobs").replace("--max-age 2d", "--max-age 1s");
    server.write("run-jobs", script);
    run(&server, "rm 'the jobs'/[2-7]*; rm 'one file'; sleep 2.1; ./run-jobs 'the jobs'", 5);
    assert!(!server.path("one file").exists());
}

#[test]
fn make_signs_what_is_built_each_time_it_changes() {
    let builder = Person::with_key();
    install(&builder, MAKE, "Makefile");
    for content in ["one", "two"] {
        builder.write("app.tar", content);
        run(&builder, "make app.tar.sig && make app.tar.sig", 0);
        run(&builder, "brine verify -d -c builds app.tar", 0);
    }
    builder.write("app.tar", "three");
    run(&builder, "make app.tar.sig BRINE_HOME=/nowhere 2>&1", 2);
}

#[test]
fn make_unpacks_what_was_verified_and_nothing_else() {
    let (vendor, stranger, builder) = (Person::with_key(), Person::with_key(), Person::new());
    install(&builder, MAKE, "Makefile");
    builder.write("vendor.pub", vendor.brinekey(["pub"]).output().unwrap().stdout);
    run(&builder, "mkdir third-party && echo x > source && tar -cf lib.tar source", 0);
    let archive = builder.read("lib.tar");
    builder.write("third-party/lib.tar.brine", vendor.sign(["-c", "vendor"], &archive));
    run(&builder, "make third-party/lib && make third-party/lib", 0);
    assert_eq!(builder.read("third-party/lib/source"), b"x\n");

    let refused = [
        vendor.sign(["-c", "builds"], &archive),
        stranger.sign(["-c", "vendor"], &archive),
        archive.clone(),
    ];
    for (number, envelope) in refused.iter().enumerate() {
        let name = format!("third-party/bad{number}");
        builder.write(&format!("{name}.tar.brine"), envelope);
        run(&builder, &format!("make {name}"), 2);
        assert!(!builder.path(&name).exists(), "{name}");
    }
}

/// A repository with a hook, and two people who push to it. The repository trusts one of them.
struct Repository {
    server: Person,
    author: Person,
    stranger: Person,
}

impl Repository {
    fn new() -> Self {
        let (server, author) = (Person::new(), Person::with_key());
        let repository = Self { server, author, stranger: Person::with_key() };
        let server = &repository.server;
        trust(server, &repository.author, "author", GIT);
        run(server, "git init -q --bare 'my site.git'", 0);
        run(server, "git -C 'my site.git' config receive.advertisePushOptions true", 0);
        let hook = PAGE.snippet(GIT, "pre-receive");
        server.write("my site.git/hooks/pre-receive", hook);
        run(server, "chmod +x 'my site.git/hooks/pre-receive'", 0);
        // The server has a home of its own, as on another machine.
        let receive = format!("env BRINE_HOME={} git-receive-pack", server.home_path("").display());
        for person in [&repository.author, &repository.stranger] {
            install(person, GIT, "push-signed");
            let url = server.path("my site.git");
            let line = format!(
                "{IDENTITY} git init -q . && git remote add origin '{}' && \
                 git config remote.origin.receivepack '{receive}' && \
                 git commit -q --allow-empty -m one && git branch -q -M 'main'",
                url.display()
            );
            run(person, &line, 0);
        }
        repository
    }

    /// Returns the commit of a branch of the repository, if it is there.
    fn branch(&self, name: &str) -> Option<String> {
        let line = format!("git -C 'my site.git' rev-parse --verify -q refs/heads/{name}");
        let output = self.server.shell(&line).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }
}

const IDENTITY: &str = "export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a \
                        GIT_COMMITTER_EMAIL=a;";

#[test]
fn a_push_that_is_signed_is_taken() {
    let repository = Repository::new();
    for _ in 0..2 {
        let commit = format!("{IDENTITY} git commit -q --allow-empty -m more");
        run(&repository.author, &commit, 0);
        run(&repository.author, "./push-signed origin main", 0);
        let head = run(&repository.author, "git rev-parse HEAD", 0).stdout;
        assert_eq!(repository.branch("main").map(String::into_bytes), Some(head));
    }
}

#[test]
fn a_push_that_is_not_signed_for_what_it_is_is_refused() {
    let repository = Repository::new();
    let author = &repository.author;
    let unsigned = "this push has no signature";
    for line in ["git push -q origin main", "git push -q -o '' origin main"] {
        let output = author.shell(line).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(unsigned), "{line}: {output:?}");
        assert_eq!(repository.branch("main"), None, "{line}");
    }
    for line in [
        "git push -q -o nonsense origin main",
        // For another branch, another commit and another repository, and for one of two branches.
        "option=$(echo \"$(git rev-parse main) refs/heads/other\" | brine sign --lines -c git/site); \
         git push -q -o \"$option\" origin main",
        "option=$(echo \"$(printf %040d 1) refs/heads/main\" | brine sign --lines -c git/site); \
         git push -q -o \"$option\" origin main",
        "option=$(echo \"$(git rev-parse main) refs/heads/main\" | brine sign --lines -c git/other); \
         git push -q -o \"$option\" origin main",
        "option=$(echo \"$(git rev-parse main) refs/heads/main\" | brine sign --lines -c git/site); \
         git push -q -o \"$option\" origin main main:second",
    ] {
        let output = author.shell(line).output().unwrap();
        let says_unsigned = String::from_utf8_lossy(&output.stderr).contains(unsigned);
        assert!(!output.status.success() && !says_unsigned, "{line}: {output:?}");
        assert_eq!(
            (repository.branch("main"), repository.branch("second")),
            (None, None),
            "{line}"
        );
    }
    run(&repository.stranger, "./push-signed origin main", 1);
    assert_eq!(repository.branch("main"), None);
}

#[test]
fn every_script_of_the_page_is_run() {
    let mut titles: Vec<_> = PAGE.titles();
    titles.retain(|(_, title)| !title.is_empty());
    assert_eq!(
        titles,
        [
            (BACKUP, "backup"),
            (BACKUP, "restore"),
            (RELEASE, "release"),
            (RELEASE, "install-release"),
            (CRON, "run-jobs"),
            ("A queue in a Redis list", "send"),
            ("A queue in a Redis list", "work"),
            (MAKE, "Makefile"),
            (GIT, "push-signed"),
            (GIT, "pre-receive"),
        ]
    );
}

/// What is common to all of them. POSIX shells have no `pipefail`, so a script with a pipe is one of bash.
#[test]
fn every_script_stops_at_the_first_failure_of_a_pipe_too() {
    for (section, title) in PAGE.titles().into_iter().filter(|(_, title)| !title.is_empty()) {
        let script = PAGE.snippet(section, title);
        let begins = format!("#!/bin/bash\n# {title}");
        let is_strict = script.starts_with(&begins) && script.contains("\nset -eu -o pipefail\n");
        assert!(is_strict || title == "Makefile", "{title}");
    }
}

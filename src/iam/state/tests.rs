use std::collections::{BTreeMap, BTreeSet};

use super::*;

const ACCOUNT: &str = "111122223333";

fn id(kind: HolderKind, name: &str) -> HolderId {
    HolderId { account: ACCOUNT.into(), kind, name: name.into() }
}

fn role(name: &str) -> HolderId {
    id(HolderKind::Role, name)
}

fn made(holder: HolderId, unique_id: &str) -> Edit {
    let arn = Some(format!("arn:aws:iam::{ACCOUNT}:role/app/{}", holder.name));
    let unique_id = Some(unique_id.to_owned());
    let tags = BTreeMap::new();
    Edit::Made(Box::new(Made {
        holder,
        arn,
        unique_id,
        trust: None,
        boundary: None,
        tags,
        is_partial: false,
    }))
}

fn inline(holder: &HolderId, text: Option<&str>) -> Edit {
    Edit::Inline { holder: holder.clone(), name: "p".into(), text: text.map(Text::known) }
}

fn after(edits: &[Edit]) -> State {
    let mut state = State::default();
    edits.iter().for_each(|edit| state.apply(edit));
    state
}

/// Accounts in a unit, under policies of their own.
fn organization() -> State {
    let mut state = State::default();
    let organization = Arc::make_mut(&mut state.organization);
    for (node, parent) in [("ou-1", "r-1"), ("ou-2", "ou-1"), (ACCOUNT, "ou-2"), ("444455556666", "r-1")] {
        organization.parents.insert(node.into(), parent.into());
        organization.attached.insert(node.into(), BTreeSet::new());
    }
    organization.attached.insert("r-1".into(), BTreeSet::new());
    state.apply(&Edit::ControlType { kind: ControlKind::Service, is_on: true });
    for id in ["p-1", "p-2"] {
        let text = Some(Text::known("{}"));
        let kind = Some(ControlKind::Service);
        state.apply(&Edit::Control { id: id.into(), kind, name: None, text });
    }
    state.apply(&Edit::ControlAttached { id: "p-1".into(), target: "ou-1".into(), is: true });
    state.apply(&Edit::ControlAttached { id: "p-2".into(), target: ACCOUNT.into(), is: true });
    state
}

fn levels(state: &State, account: &str) -> Vec<Vec<String>> {
    let levels = state.organization.levels(account, ControlKind::Service).into_iter();
    levels.map(|level| level.into_iter().map(|(id, _)| id.to_owned()).collect()).collect()
}

#[test]
fn doing_an_edit_twice_is_doing_it_once() {
    let (app, ann) = (role("app"), id(HolderKind::User, "ann"));
    let edits = [
        made(app.clone(), "AROA1"),
        inline(&app, Some("{}")),
        Edit::Attached { holder: app.clone(), policy: "arn:p".into(), is: true },
        Edit::Boundary { holder: app.clone(), policy: Some("arn:b".into()) },
        Edit::Member { user: ann.clone(), group: "g".into(), is: true },
        Edit::TableMade { table: "arn:t".into(), policy: None, tags: None },
        Edit::TablePolicy { table: "arn:t".into(), text: Some(Text::known("{}")) },
        Edit::EndpointMade { endpoint: "vpce-0a".into(), vpc: None, policy: None },
        Edit::Version {
            policy: "arn:p".into(),
            version: Some("v1".into()),
            text: Text::known("{}"),
            is_default: true,
        },
        Edit::ControlType { kind: ControlKind::Service, is_on: true },
        Edit::ControlType { kind: ControlKind::Service, is_on: false },
        inline(&app, None),
        Edit::Gone(ann),
    ];
    let mut state = organization();
    for edit in &edits {
        state.apply(edit);
        let once = state.clone();
        state.apply(edit);
        assert_eq!(state, once, "{edit:?}");
    }
}

#[test]
fn a_role_of_which_an_event_is_the_first_news_may_have_more() {
    let app = role("app");
    let state = after(&[inline(&app, Some("{}"))]);
    assert!(state.holders[&app].is_partial);
    // Its making, which came late, says that there is no more; what was put on it since stays.
    let state = after(&[inline(&app, Some("{}")), made(app.clone(), "AROA1")]);
    let holder = &state.holders[&app];
    assert!(!holder.is_partial && holder.inline.contains_key("p") && holder.arn.is_some());
}

#[test]
fn a_role_made_again_is_another() {
    let app = role("app");
    let state = after(&[made(app.clone(), "AROA1"), inline(&app, Some("{}")), made(app.clone(), "AROA1")]);
    assert!(state.holders[&app].inline.contains_key("p"), "the same event twice");
    let state = after(&[made(app.clone(), "AROA1"), inline(&app, Some("{}")), made(app.clone(), "AROA2")]);
    assert!(state.holders[&app].inline.is_empty());
}

#[test]
fn a_version_counts_once_it_is_the_default() {
    let version = |version: &str, text: &str, is_default| Edit::Version {
        policy: "arn:p".into(),
        version: Some(version.into()),
        text: Text::known(text),
        is_default,
    };
    let text = |edits: &[Edit]| after(edits).managed["arn:p"].text();
    let (one, two) = (version("v1", "1", true), version("v2", "2", false));
    assert_eq!(text(&[one.clone(), two.clone()]), Text::known("1"));
    let default = |version: Option<&str>| Edit::DefaultVersion {
        policy: "arn:p".into(),
        version: version.map(Into::into),
    };
    assert_eq!(text(&[one.clone(), two.clone(), default(Some("v2"))]), Text::known("2"));
    assert_eq!(text(&[one.clone(), default(Some("v7"))]), Text::Untold);
    assert_eq!(text(&[one.clone(), default(None)]), Text::Untold);
    let untold = |text: &str, is_default| Edit::Version {
        policy: "arn:p".into(),
        version: None,
        text: Text::known(text),
        is_default,
    };
    assert_eq!(text(&[one, untold("3", true), untold("4", false)]), Text::known("3"));
}

#[test]
fn policies_stand_in_levels_from_the_root_down() {
    let state = organization();
    let full = "p-FullAWSAccess";
    assert_eq!(levels(&state, ACCOUNT), [vec![full], vec!["p-1", full], vec![full], vec!["p-2", full]]);
    assert_eq!(levels(&state, "444455556666"), [vec![full], vec![full]]);
    assert_eq!(levels(&state, "555566667777"), [vec![""], vec![""]]);
    let is_below = |account: &str| state.organization.may_be_below(account, "ou-1");
    assert!(is_below(ACCOUNT) && !is_below("444455556666"));
}

#[test]
fn an_account_that_moves_leaves_policies_behind_and_keeps_its_own() {
    let mut state = organization();
    state.apply(&Edit::Moved { account: ACCOUNT.into(), to: "r-1".into() });
    assert_eq!(levels(&state, ACCOUNT), [vec!["p-FullAWSAccess"], vec!["p-2", "p-FullAWSAccess"]]);
    state.apply(&Edit::Left { account: ACCOUNT.into() });
    assert!(levels(&state, ACCOUNT).is_empty());
}

#[test]
fn switching_a_type_off_detaches_all_its_policies_for_good() {
    let mut state = organization();
    state.apply(&Edit::ControlType { kind: ControlKind::Service, is_on: false });
    assert!(levels(&state, ACCOUNT).is_empty());
    state.apply(&Edit::ControlType { kind: ControlKind::Service, is_on: true });
    assert_eq!(levels(&state, ACCOUNT), vec![vec!["p-FullAWSAccess".to_owned()]; 4]);
}

#[test]
fn a_unit_whose_policies_nobody_told_may_have_any() {
    let mut state = organization();
    state.apply(&Edit::Moved { account: ACCOUNT.into(), to: "ou-new".into() });
    let levels = state.organization.levels(ACCOUNT, ControlKind::Service);
    assert_eq!(levels[0][0].1.text, Text::Untold);
}

#[test]
fn a_user_renamed_keeps_its_path_unless_another_is_told() {
    let (ann, bob) = (id(HolderKind::User, "ann"), id(HolderKind::User, "bob"));
    let arn = |arn: Option<&str>| {
        let renamed = Edit::Renamed { from: ann.clone(), to: bob.clone(), arn: arn.map(Into::into) };
        after(&[made(ann.clone(), "AIDA1"), renamed]).holders[&bob].arn.clone()
    };
    assert_eq!(arn(None).as_deref(), Some("arn:aws:iam::111122223333:role/app/bob"));
    assert_eq!(arn(Some("arn:x")).as_deref(), Some("arn:x"));
    // One that nothing told of is there all the same.
    let state = after(&[Edit::Renamed { from: ann, to: bob.clone(), arn: None }]);
    assert!(state.holders[&bob].is_partial);
}

#[test]
fn who_has_a_managed_policy_has_it_by_a_group_too() {
    let (team, ann, bob) =
        (id(HolderKind::Group, "team"), id(HolderKind::User, "ann"), id(HolderKind::User, "bob"));
    let member = |user: &HolderId| Edit::Member { user: user.clone(), group: "team".into(), is: true };
    let attached =
        |holder: &HolderId| Edit::Attached { holder: holder.clone(), policy: "arn:p".into(), is: true };
    let bounded = Edit::Boundary { holder: bob.clone(), policy: Some("arn:p".into()) };
    let state = after(&[attached(&team), member(&ann), bounded, member(&id(HolderKind::User, "carol"))]);
    let names: Vec<&str> = state.holders_of("arn:p").into_iter().map(|id| id.name.as_str()).collect();
    assert_eq!(names, ["ann", "bob", "carol", "team"]);
}

#[test]
fn a_group_under_another_name_has_its_users_still() {
    let (team, crew, ann) =
        (id(HolderKind::Group, "team"), id(HolderKind::Group, "crew"), id(HolderKind::User, "ann"));
    let renamed =
        |arn: Option<&str>| Edit::Renamed { from: team.clone(), to: crew.clone(), arn: arn.map(Into::into) };
    let state =
        after(&[made(team.clone(), "AGPA1"), inline(&team, Some("{}")), in_team(&ann), renamed(None)]);
    assert!(!state.holders.contains_key(&team) && state.holders[&crew].inline.contains_key("p"));
    assert_eq!(state.members(&crew).collect::<Vec<_>>(), [&ann]);
    assert_eq!(state.members(&team).count(), 0);
    // What it gives is not known, and its users are.
    let state = after(&[in_team(&ann), renamed(None)]);
    assert_eq!(state.members(&crew).collect::<Vec<_>>(), [&ann]);
    // Another path alone takes nobody out of it.
    let moved = Edit::Renamed { from: team.clone(), to: team.clone(), arn: Some("arn:g".into()) };
    let state = after(&[made(team.clone(), "AGPA1"), in_team(&ann), moved]);
    assert_eq!(state.members(&team).collect::<Vec<_>>(), [&ann]);
}

fn in_team(user: &HolderId) -> Edit {
    Edit::Member { user: user.clone(), group: "team".into(), is: true }
}

#[test]
fn a_table_takes_its_streams_with_it() {
    let of = |arn: &str| Edit::TableMade { table: arn.into(), policy: None, tags: None };
    let state = after(&[of("t/a"), of("t/a/stream/1"), of("t/ab"), Edit::TableGone("t/a".into())]);
    assert_eq!(state.tables.keys().collect::<Vec<_>>(), ["t/ab"]);
}

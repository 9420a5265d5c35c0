"""What the page of the first run says."""

from ..taxonomy import Text

SETUP = {
    "title": Text(en="Set up this box", ja="装置の初期設定"),
    "locked": Text(
        en="This box takes a set-up only with its second token, or, while it has none, on the box itself.",
        ja="設定には変更用トークンが必要です。トークンがまだない装置は、装置本体の画面からのみ設定できます。",
    ),
    "unlock": Text(en="Go on", ja="続ける"),
    "wrong_second": Text(en="That is not the second token.", ja="変更用トークンが違います。"),
    "step_language": Text(en="1. Language of the pages", ja="1. 画面の言語"),
    "step_camera": Text(en="2. Camera", ja="2. カメラ"),
    "step_bundle": Text(en="3. Model", ja="3. モデル"),
    "step_keep": Text(en="4. Save and start", ja="4. 保存して開始"),
    "which_camera": Text(en="Which camera?", ja="使用するカメラ"),
    "usb": Text(en="USB {index}: {name}", ja="USB {index}：{name}"),
    "no_rights": Text(
        en="{name} (no rights: add Yochi's user to the group video)",
        ja="{name}（権限がありません。Yochi のユーザーを video グループに追加してください）",
    ),
    "no_usb": Text(
        en="No camera is on USB. One that is plugged in appears here by itself.",
        ja="USB カメラが見つかりません。接続すると自動的に表示されます。",
    ),
    "network": Text(en="Network camera", ja="ネットワークカメラ"),
    "no_fixed": Text(
        en="No fixed camera: pictures are taken by hand", ja="固定カメラなし（写真を撮って判定する）"
    ),
    "address": Text(en="Its address", ja="カメラのアドレス"),
    "login": Text(
        en="Never write a password here. User and password belong into YOCHI_CAMERA_LOGIN, or into the file "
        "that YOCHI_CAMERA_NETRC names, in the settings of the service.",
        ja="ここにはパスワードを入力しないでください。ユーザー名とパスワードは、サービスの設定にある "
        "YOCHI_CAMERA_LOGIN、または YOCHI_CAMERA_NETRC で指定したファイルに書いてください。",
    ),
    "camera_named": Text(
        en="An option of the service (--camera) names the camera. Start it without to choose one here.",
        ja="カメラはサービスの起動オプション（--camera）で指定されています。ここで選ぶには、"
        "このオプションなしで起動してください。",
    ),
    "note": Text(en="Note: what is done before this camera?", ja="メモ（カメラの前で行う作業）"),
    "default_note": Text(en="Routine round.", ja="通常の巡回点検。"),
    "try": Text(en="Test the camera", ja="カメラを試す"),
    "trying": Text(en="Looking through the camera ...", ja="カメラの映像を確認しています…"),
    "fine": Text(en="This picture can be judged.", ja="この映像で判定できます。"),
    "not_fine": Text(en="This picture is refused: {why}", ja="この映像では判定できません：{why}"),
    "no_frame": Text(en="No picture came.", ja="映像を取得できませんでした。"),
    "size": Text(en="Size", ja="画素数"),
    "pixels": Text(en="{width} x {height} pixels", ja="{width} × {height} 画素"),
    "frames": Text(en="Frames read", ja="読み取ったフレーム数"),
    "rate": Text(en="The camera gives", ja="カメラのフレームレート"),
    "a_second": Text(en="{rate} frames a second", ja="毎秒 {rate} フレーム"),
    "oldest": Text(en="Oldest frame when read", ja="読み取り時のフレームの古さ"),
    "in_seconds": Text(en="at most {seconds} s", ja="最大 {seconds} 秒"),
    "failures": Text(en="Reads without a frame", ja="フレームを取得できなかった回数"),
    "last_failure": Text(en="The last of them", ja="最後の失敗"),
    "picture": Text(en="What the camera sees", ja="カメラの映像"),
    "checking": Text(en="Checking every byte ...", ja="全ファイルを検証しています…"),
    "whole": Text(
        en="Every byte is the one that was proved.", ja="全ファイルが検証時の内容と一致しています。"
    ),
    "not_whole": Text(
        en="The files are not the proved ones. Nothing is judged.",
        ja="ファイルが検証時の内容と一致しません。判定は行われません。",
    ),
    "check": Text(en="Check again", ja="もう一度検証する"),
    "loading": Text(en="The model is being opened ...", ja="モデルを読み込んでいます…"),
    "keep": Text(en="Save and start", ja="保存して開始"),
    "try_first": Text(en="Test the camera first.", ja="先にカメラを試してください。"),
    "choose_first": Text(en="Choose a camera first.", ja="先にカメラを選んでください。"),
    "note_first": Text(en="Write the note first.", ja="先にメモを書いてください。"),
    "makes": Text(
        en="Two tokens are made and shown once. Have something to write at hand.",
        ja="トークンを 2 つ作成し、一度だけ表示します。書き留める準備をしてください。",
    ),
    "makes_none": Text(en="The tokens stay as they are.", ja="トークンは変更されません。"),
    "saving": Text(en="Saving ...", ja="保存しています…"),
    "kept": Text(en="Saved, and recorded in the log.", ja="保存し、記録しました。"),
    "once": Text(
        en="Write these down now: they are not shown again.",
        ja="今すぐ書き留めてください。二度と表示されません。",
    ),
    "reading": Text(en="Token for reading, beyond this box", ja="閲覧用トークン（装置の外から使用）"),
    "admin": Text(en="Second token, for changes", ja="変更用トークン"),
    "tokens_file": Text(
        en="They are kept in {file} on this box, which only Yochi's user may read. Without that file the box "
        "can be set up anew.",
        ja="装置内の {file} に保存され、Yochi のユーザーだけが読み取れます。このファイルを削除すると、"
        "初期設定をやり直せます。",
    ),
    "starting": Text(en="Starting with this camera ...", ja="このカメラで起動しています…"),
    "to_worker": Text(en="Open the worker's page", ja="作業者画面を開く"),
}

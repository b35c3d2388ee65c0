"""Result folders of the desktop tool: imported, looked at, published, removed."""
import csv
import json
import os
import pathlib
import shutil
import subprocess
import zipfile

import models
import pytest
from conftest import BIN, ROOT

FLOWERS = ROOT / "tests" / "data" / "results" / "flowers.files" / "20260102_030405"
SHARED = pathlib.Path(os.environ.get("NOREN_SHARED", ROOT.parent / "shared"))


@pytest.fixture
def project(tmp_path):
    """A project of two jobs on somebody's disk, with what stands beside them."""
    folder = tmp_path / "flowers.files"
    first = folder / FLOWERS.name
    shutil.copytree(FLOWERS, first)
    models.doubling(first / "results.nnp", (4,))
    (first / "results_current_12.nnp").write_bytes(b"the last epoch's")
    (first / "progress.txt").touch()
    (first / "0000").mkdir()
    (first / "0000" / "0.png").write_bytes(b"a picture")
    (folder / "20260102_040000").mkdir()
    models.doubling(folder / "20260102_040000" / "results.nnp", (2,))
    (tmp_path / "flowers.sdcproj").write_text("[Engine]\n")
    return folder


def refused(server, *arguments):
    """Imports what can't be; returns the one sentence that says why."""
    done = subprocess.run([BIN / "noren", "import", *arguments, "--json"], env=server.environment(),
                          text=True, capture_output=True, timeout=120)
    assert 1 <= done.returncode <= 62 and done.stdout == "", done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    return done.stderr


def zip_of(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_a_project_becomes_jobs_with_what_they_recorded(start_server, project):
    server = start_server()
    made = server.cli("import", project, "--json")
    assert made["project"] == "flowers" and made["warnings"] == []
    assert [job["name"] for job in made["jobs"]] == [FLOWERS.name, "20260102_040000"]
    job = made["jobs"][0]
    assert job["kept"] and job["file_name"] == "results.nnp" and job["id"] == made["job"]
    results = job["results"]
    assert results["started"] == "2026-01-02T03:04:05" and "warnings" not in results
    assert results["result"]["best_epoch"] == 10 and results["curves"]["epochs"] == 12
    assert results["evaluation"] == {"rows": 30, "columns": 5}
    assert results["confusion"][0]["accuracy"] == pytest.approx(26 / 30)
    shown = server.cli("job", job["id"], "--json")
    assert shown["description"]["statistics"] == results["statistics"], "the tool counted the same"
    assert [each["id"] for each in server.cli("jobs", "--project", "flowers", "--json")["jobs"]] == [
        made["jobs"][1]["id"], job["id"]]
    assert FLOWERS.name in server.cli("jobs") and "0.8667" in server.cli("jobs")
    assert server.ask("GET", "projects")["projects"][0]["jobs"] == 2
    server.stop()
    server.start()
    assert server.cli("job", job["id"], "--json") == shown, "it is there after a restart"


def test_curves_evaluation_confusion_and_files(server, project, tmp_path):
    job = server.cli("import", project / FLOWERS.name, "--project", "花", "--json")["job"]
    curves = server.cli("job", job, "--curves", "--json")["series"]
    assert [curve["name"] for curve in curves] == ["cost", "train_error", "valid_error"]
    assert curves[0]["epochs"] == list(range(1, 13)) and curves[2]["epochs"] == [1, 2, 3, 4, 6, 8, 10, 12]
    assert min(zip(curves[2]["values"], curves[2]["epochs"]))[1] == 10
    with open(FLOWERS / "output_result.csv", newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    seen = []
    for first in range(0, 30, 7):
        page = server.cli("job", job, "--evaluation", "--from", first, "--rows", 7, "--json")
        assert page["total"] == 30 and page["offset"] == first
        seen += page["rows"]
    assert [column["name"] for column in page["columns"]] == head
    assert page["columns"][2] == {"name": "y'__0", "variable": "y'", "index": 0}
    assert [row[:2] for row in seen] == [[row[0], int(row[1])] for row in rows]
    for row, wanted in zip(seen, rows):
        assert row[2:] == pytest.approx([float(cell) for cell in wanted[2:]], rel=1e-14)
    matrix = server.cli("job", job, "--confusion", "--json")["matrices"][0]
    counts = [[0] * 3 for _ in range(3)]
    for row in seen:
        counts[row[1]][row[2:].index(max(row[2:]))] += 1
    assert matrix["counts"] == counts and matrix["recall"][0] == pytest.approx(0.8)
    names = {file["name"]: file for file in server.cli("job", job, "--files", "--json")["files"]}
    assert names["results.nnp"]["kind"] == "model" and "results_current_12.nnp" not in names
    for name in ("log.txt", "results.nnp"):
        server.cli("job", job, "--save", name, "--to", tmp_path / "saved")
        assert (tmp_path / "saved").read_bytes() == (project / FLOWERS.name / name).read_bytes()
        server.cli("job", job, "--save", name, "--to", tmp_path / "saved", expect=4)
        (tmp_path / "saved").unlink()
    server.cli("job", job, "--save", "none", expect=3)
    for option, word in (("--curves", "valid_error"), ("--evaluation", "y'__2"), ("--confusion", "y:label=2"),
                         ("--files", "log.txt"), ("--", "best_validation")):
        assert word in server.cli("job", job, *([option] if option != "--" else []))
    server.cli("delete", "--project", "花", "--yes")


def test_a_job_is_published_and_stays(server, project):
    made = server.cli("import", project.parent / "flowers.sdcproj", "--project", "to-publish", "--json")
    api = server.cli("publish", "--job", made["job"], "--json")
    assert (api["project"], api["name"]) == ("to-publish", FLOWERS.name)
    assert server.cli("call", api["id"], "x=1,2,3,4").startswith("y  2.0, 4.0, 6.0, 8.0")
    assert "API still uses" in server.cli("delete", "--job", made["job"], "--yes", expect=7)
    server.cli("delete", "--project", "to-publish", "--yes", expect=7)
    server.cli("delete", api["id"], "--yes")
    assert server.cli("job", made["job"], "--json")["kept"] is True
    server.cli("delete", "--job", made["job"], expect=2)
    server.cli("delete", "--job", made["job"], "--yes")
    server.cli("job", made["job"], expect=3)
    server.cli("delete", "--project", "to-publish", "--yes")
    assert server.ask("GET", "jobs?project=to-publish")["jobs"] == []
    server.cli("delete", "--project", "to-publish", "--yes", expect=3)
    server.cli("publish", "--job", made["job"], expect=3)
    server.cli("publish", "--job", made["job"], "--name", "n", expect=2)
    server.cli("delete", expect=2)


def test_a_model_by_itself_and_a_zip(server, project, samples, tmp_path):
    one = server.cli("import", samples / "iris.nnp", "--name", "アヤメ", "--json")
    assert (one["project"], one["jobs"][0]["name"]) == ("default", "アヤメ")
    assert server.ask("GET", f"jobs/{one['job']}/files")["files"][0]["size_bytes"] == (
        samples / "iris.nnp").stat().st_size
    model = (project / FLOWERS.name / "results.nnp").read_bytes()
    packed = zip_of(tmp_path / "packed.zip", {
        "p.files\\a\\results.nnp": model, "p.files\\a\\monitoring_report.yml": "0:\n  cost: 1\nwrong\n",
        "p.files/b/result.ini": "[result]\n", "p.files/c/results.nnp": b"PK\3\4 no model"})
    done = subprocess.run([BIN / "noren", "import", packed, "--json"], env=server.environment(), text=True,
                          capture_output=True, timeout=120, check=True)
    made = json.loads(done.stdout)
    assert made["project"] == "p" and [job["name"] for job in made["jobs"]] == ["a"]
    assert "monitoring_report.yml, line 3" in made["jobs"][0]["results"]["warnings"][0]
    for said in ("'p.files/b' holds results but no model", "left out: 'c':",
                 "a: monitoring_report.yml, line 3"):
        assert said in done.stderr
    for job in (one["job"], made["job"]):
        server.cli("delete", "--job", job, "--yes")


def test_what_can_not_be_imported_is_said_in_one_sentence(server, project, tmp_path):
    before = len(server.ask("GET", "jobs")["jobs"])
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "holds no model" in refused(server, empty)
    assert "no file or folder" in refused(server, tmp_path / "none")
    assert "this holds 2" in refused(server, project, "--name", "n")
    (project / FLOWERS.name / "results.nnp").unlink()
    (project / FLOWERS.name / "results_current_12.nnp").unlink()
    assert "holds results but no model" in refused(server, project / FLOWERS.name)
    (project / FLOWERS.name / "results.nnp").write_bytes(b"PK\3\4broken")
    assert "internal" not in refused(server, project / FLOWERS.name).lower()
    hostile = {"outside.zip": {"../results.nnp": b"x"}, "text.zip": {"readme.txt": b"x"},
               "rooted.zip": {"/etc/results.nnp": b"x"}}
    for name, files in hostile.items():
        refused(server, zip_of(tmp_path / name, files))
    (tmp_path / "cut.zip").write_bytes(zip_of(tmp_path / "whole.zip", {"a.nnp": b"x"}).read_bytes()[:40])
    refused(server, tmp_path / "cut.zip")
    assert len(server.ask("GET", "jobs")["jobs"]) == before


def test_a_bomb_is_left_out(server, project, tmp_path):
    model = (project / FLOWERS.name / "results.nnp").read_bytes()
    packed = zip_of(tmp_path / "bomb.zip", {"results.nnp": model, "log.txt": bytes(80 << 20),
                                            "output_result.csv": "a" + "," * 9999 + "\n1" * 50})
    made = server.cli("import", packed, "--json")
    warnings = made["jobs"][0]["results"]["warnings"]
    assert any(warning.startswith("log.txt: left out: ") for warning in warnings), warnings
    assert made["jobs"][0]["results"]["evaluation"]["columns"] == 10_000
    server.cli("delete", "--job", made["job"], "--yes")


SHARED_PROJECTS = pytest.mark.skipif(not (SHARED / "projects").exists(), reason="no shared projects here")


@SHARED_PROJECTS
@pytest.mark.parametrize("name,jobs_count", [("titanic", 6), ("mnist", 1)])
def test_real_projects(server, name, jobs_count):
    made = server.cli("import", next((SHARED / "projects" / name).glob("*.files")), "--json")
    assert len(made["jobs"]) == jobs_count and made["warnings"] == []
    for job in made["jobs"]:
        results = job["results"]
        assert "warnings" not in results
        description = server.cli("job", job["id"], "--json")["description"]
        assert description["statistics"] == results["statistics"], job["name"]
        curves = {curve["name"]: curve for curve in server.ask("GET", f"jobs/{job['id']}/curves")["series"]}
        valid = curves["valid_error"]
        assert min(zip(valid["values"], valid["epochs"]))[1] == results["result"]["best_epoch"]
        assert min(valid["values"]) == pytest.approx(results["result"]["best_validation"], abs=1e-6)
        page = server.ask("GET", f"jobs/{job['id']}/evaluation?offset={results['evaluation']['rows'] - 3}")
        assert len(page["rows"]) == 3 and page["total"] == results["evaluation"]["rows"]
        if name == "titanic":
            answers_are_the_recorded_ones(server, job["id"], page)
    server.cli("delete", "--project", made["project"], "--yes")


def answers_are_the_recorded_ones(server, job, page):
    api = server.cli("publish", "--job", job, "--json")
    for row in page["rows"]:
        cells = list(zip((column["variable"] for column in page["columns"]), row))
        x = [cell for variable, cell in cells if variable == "x"]
        status, answer = server.infer(api, [{"name": "x", "type": "vector", "data": x}])
        assert status == 200, answer
        got = [float(value) for value in answer["outputs"][0]["data"].split(", ")]
        assert got == pytest.approx([cell for variable, cell in cells if variable == "y'"], abs=1e-4)
    server.cli("delete", api["id"], "--yes")


def test_a_jobs_accuracy_is_the_files_own(server, project):
    """The measures come from the counts and agree with the four digits that the tool wrote."""
    made = server.cli("import", project / FLOWERS.name, "--json")
    matrix = server.ask("GET", f"jobs/{made['job']}/confusion")["matrices"][0]
    recorded = dict(line.split(",")[:2] for line in (FLOWERS / "confusion_matrix_y.csv").read_text().split())
    for name, measure in (("Accuracy", "accuracy"), ("Avg.Precision", "avg_precision"),
                          ("Avg.Recall", "avg_recall"), ("Avg.F-Measures", "avg_f_measure")):
        assert f"{matrix[measure]:.4f}" == recorded[name]
    server.cli("delete", "--job", made["job"], "--yes")

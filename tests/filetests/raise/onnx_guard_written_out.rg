; test raise sites=1
; test check

// Softmax in single steps under the guard, with the largest subtracted.
graph onnx_guard_written_out {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %keep = input : bool[2, 1, 1, 6]
  %kt = transpose %k { order = [-4, -3, -1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %m = select %keep, %u, -1e30
  %most = reduce %m { op = max, axis = -1 }
  %d = sub %m, %most
  %e = exp %d
  %t = reduce %e { op = sum, axis = -1 }
  %w = div %e, %t
  %same = eq %w, %w
  %nan = not %same
  %z = select %nan, 0.0, %w
  %y = matmul %z, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference

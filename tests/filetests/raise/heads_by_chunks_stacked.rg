; test raise sites=1
; test check

// Heads cut by slices and stacked on a new axis: torch.stack(x.chunk(h, -1), 1).
graph heads_by_chunks_stacked {
  %q = input : f32[2, 6, 8]
  %k = input : f32[2, 6, 8]
  %v = input : f32[2, 6, 8]
  %q0 = slice %q { axis = -1, start = 0, stop = 4, step = 1 }
  %q1 = slice %q { axis = -1, start = 4, stop = 8, step = 1 }
  %q2 = reshape %q0 { shape = [2, 1, 6, 4] }
  %q3 = reshape %q1 { shape = [2, 1, 6, 4] }
  %qh = concat %q2, %q3 { axis = 1 }
  %k0 = slice %k { axis = -1, start = 0, stop = 4, step = 1 }
  %k1 = slice %k { axis = -1, start = 4, stop = 8, step = 1 }
  %k2 = reshape %k0 { shape = [2, 1, 6, 4] }
  %k3 = reshape %k1 { shape = [2, 1, 6, 4] }
  %kh = concat %k2, %k3 { axis = 1 }
  %v0 = slice %v { axis = -1, start = 0, stop = 4, step = 1 }
  %v1 = slice %v { axis = -1, start = 4, stop = 8, step = 1 }
  %v2 = reshape %v0 { shape = [2, 1, 6, 4] }
  %v3 = reshape %v1 { shape = [2, 1, 6, 4] }
  %vh = concat %v2, %v3 { axis = 1 }
  %kt = transpose %kh { order = [-1, -2] }
  %s = matmul %qh, %kt
  %scaled = mul %s, 0.5
  %w = softmax %scaled { axis = -1 }
  %y = matmul %w, %vh
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference

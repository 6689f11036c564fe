; test optimize target=x86-64-v4
; test check

; Keys of three channels for heads of four: their weights go to the queries, and no key is projected.
graph short_keys {
  %x = input : f32[5, 16, 3]
  %wq = weight : f32[3, 8]
  %wk = weight : f32[3, 8]
  %wv = weight : f32[3, 8]
  %q = matmul %x, %wq
  %k = matmul %x, %wk
  %v = matmul %x, %wv
  %q_columns = reshape %q { shape = [5, 16, 2, 4] }
  %q_heads = transpose %q_columns { order = [-2, -3, -1] }
  %k_columns = reshape %k { shape = [5, 16, 2, 4] }
  %k_heads = transpose %k_columns { order = [-2, -3, -1] }
  %v_columns = reshape %v { shape = [5, 16, 2, 4] }
  %v_heads = transpose %v_columns { order = [-2, -3, -1] }
  %y = attention %q_heads, %k_heads, %v_heads { scale = 0.5 }
  return %y
}

; expect optimize target=x86-64-v4
;   ; %y: 38 e-nodes, 4 iterations, saturated; project-what-is-attended-of-heads, weights-of-keys-in-heads
;   graph short_keys {
;     %x = input : f32[5, 16, 3]
;     %wq = weight : f32[3, 8]
;     %wk = weight : f32[3, 8]
;     %wv = weight : f32[3, 8]
;     %4 = view %wq { map = "[2, 3, 4] of 24: 8*i1 + 4*i0 + i2" } : f32[2, 3, 4]
;     %5 = view %wk { map = "[2, 4, 3] of 24: 8*i2 + 4*i0 + i1" } : f32[2, 4, 3]
;     %6 = matmul %4, %5 : f32[2, 3, 3]
;     %7 = view %6 { map = "[3, 6] of 18: 9*i1/3 + 3*i0 + i1%3" } : f32[3, 6]
;     %8 = matmul %x, %7 : f32[5, 16, 6]
;     %9 = view %8 { map = "[5, 2, 16, 3] of 480: 96*i0 + 6*i2 + 3*i1 + i3" } : f32[5, 2, 16, 3]
;     %10 = view %x { map = "[5, 2, 16, 3] of 240: 48*i0 + 3*i2 + i3" } : f32[5, 2, 16, 3]
;     %11 = scores %9, %10 : f32[5, 2, 16, 16]
;     %12 = const { value = 0.5 } : f32[5, 2, 16, 16]
;     %13 = mul %11, %12 : f32[5, 2, 16, 16]
;     %14 = view %x { map = "[5, 1, 16, 3] of 240: 48*i0 + 3*i2 + i3" } : f32[5, 1, 16, 3]
;     %15 = attend %13, %14 { axis = -1 } : f32[5, 2, 16, 3]
;     %16 = view %wv { map = "[2, 3, 4] of 24: 8*i1 + 4*i0 + i2" } : f32[2, 3, 4]
;     %y = matmul %15, %16 : f32[5, 2, 16, 4]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference

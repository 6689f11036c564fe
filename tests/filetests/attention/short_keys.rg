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
;   ; %y: 31 terms after 2 rounds, saturated; weights-of-keys-in-heads
;   ; merge-parallel-products ×1
;   graph short_keys {
;     %x = input : f32[5, 16, 3]
;     %wq = weight : f32[3, 8]
;     %wk = weight : f32[3, 8]
;     %wv = weight : f32[3, 8]
;     %4 = const { value = 0.5 } : f32[5, 2, 16, 16]
;     %5 = view %wq { map = "[2, 3, 4] of 24: 8*i1 + 4*i0 + i2" } : f32[2, 3, 4]
;     %6 = view %wk { map = "[2, 4, 3] of 24: 8*i2 + 4*i0 + i1" } : f32[2, 4, 3]
;     %7 = matmul %5, %6 : f32[2, 3, 3]
;     %8 = view %7 { map = "[3, 6] of 18: 9*i1/3 + 3*i0 + i1%3" } : f32[3, 6]
;     %9 = iota { axis = -1 } : i32[3, 14]
;     %10 = view %8 { map = "[3, 14] of 18: (i1/2) in 3 * 2 + 6*i0 + i1%2 else 0.0" } : f32[3, 14]
;     %11 = view %wv { map = "[3, 14] of 24: (-3 + i1/2) in 4 * 2 + 8*i0 + i1%2 else 0.0" } : f32[3, 14]
;     %12 = const { value = 6.0 } : i32[3, 14]
;     %13 = le %12, %9 : bool[3, 14]
;     %14 = select %13, %11, %10 : f32[3, 14]
;     %15 = matmul %x, %14 : f32[5, 16, 14]
;     %16 = view %15 { map = "[5, 2, 16, 3] of 1120: 224*i0 + 14*i2 + 3*i1 + i3" } : f32[5, 2, 16, 3]
;     %17 = view %x { map = "[5, 2, 16, 3] of 240: 48*i0 + 3*i2 + i3" } : f32[5, 2, 16, 3]
;     %18 = scores %16, %17 : f32[5, 2, 16, 16]
;     %19 = mul %18, %4 : f32[5, 2, 16, 16]
;     %v_heads = view %15 { map = "[5, 2, 16, 4] of 1120: 6 + 224*i0 + 14*i2 + 4*i1 + i3" } : f32[5, 2, 16, 4]
;     %y = attend %19, %v_heads { axis = -1 } : f32[5, 2, 16, 4]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference
